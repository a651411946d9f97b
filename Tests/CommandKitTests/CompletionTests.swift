import Foundation
import Testing

@testable import CommandKit

@Suite("Completion")
struct CompletionTests {
    @Test(
        "what may follow is offered",
        arguments: [
            ([""], ["store", "parcel", "fail", "completion", "help"]),
            (["pa"], ["parcel"]),
            (["parcel", ""], ["list", "discard", "mark"]),
            (["--json", "parcel", "d"], ["discard"]),
            (["--color", "never", "parcel", "l"], ["list"]),
            (["help", "parcel", "l"], ["list"]),
            (["parcel", "list", "--l"], ["--limit"]),
            (["parcel", "list", "--kind", ""], ["damaged", "missing", "late"]),
            (["parcel", "list", "--kind=m"], ["--kind=missing"]),
            (["parcel", "list", "--kind", "=", "m"], ["missing"]),
            (["parcel", "list", "--kind", "="], ["damaged", "missing", "late"]),
            (["-o", "js"], ["json", "jsonl"]),
            (["fail", ""], ["plainly", "foreign", "cancellation"]),
            (["fail", "--json", "f"], ["foreign"]),
            (["completion", ""], ["bash", "zsh", "fish"]),
            (["--v"], ["--verbose", "--version"]),
            (["store", "--v"], ["--verbose"]),
            // Any text may stand here: the shell offers files.
            (["store", ""], []), (["store", "--id", ""], []), (["fail", "plainly", ""], []),
            (["store", "--", "--v"], []),
        ])
    func candidates(words: [String], expected: [String]) {
        let names = Warehouse.tree.completions(of: words).map { String($0.split(separator: "\t")[0]) }
        #expect(names == expected)
    }

    @Test("a shell asks with a hidden word and is told what each candidate is")
    func request() async {
        let run = await depot(completionRequest, "parcel", "li")
        #expect(run.out == "list\tList parcels.\n")
        #expect(run.code == .ok)
    }

    @Test("a script names its program and is one that its shell accepts", arguments: ["bash", "zsh", "fish"])
    func scripts(shell: String) async throws {
        let script = await depot("completion", shell).out
        #expect(script.contains("depot"))
        guard let checker = installed(shell) else { return }
        #expect(try runShell([checker, shell == "fish" ? "--no-execute" : "-n"], standardInput: script) == "")
    }

    @Test("bash completes with the script")
    func bash() async throws {
        let script =
            await depot("completion", "bash").out + """

                program() { echo "asked: $*" >&2; printf 'list\\tList parcels.\\nlost+found\\n'; }
                COMP_WORDS=(program parcel "l i"); COMP_CWORD=2
                _depot program 2>/dev/null
                printf '%s|' "${COMPREPLY[@]}"
                """
        #expect(try runShell([#require(installed("bash")), "-s"], standardInput: script) == "list|lost+found|")
    }

    private func installed(_ shell: String) -> String? {
        ["/bin/", "/usr/bin/"].map { $0 + shell }.first(where: FileManager.default.isExecutableFile)
    }
}
