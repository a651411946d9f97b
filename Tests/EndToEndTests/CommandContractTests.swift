import Foundation
import SettleTesting
import Testing

@testable import CommandKit
@testable import settle

/// What every command promises before it does anything. Commands are found in the tree: a new one is held to it too.
@Suite struct CommandContractTests {
    @Test func `no declaration contradicts itself`() {
        #expect(Settle.tree.declarationProblems == [])
        #expect(CommandLeaf.all.count >= 20)
    }

    @Test(arguments: CommandLeaf.all)
    func `a command says what it does, with examples that parse`(leaf: CommandLeaf) throws {
        #expect(leaf.info.summary.hasSuffix("."), "\(leaf.info.summary)")
        #expect(!leaf.info.summary.dropLast().isEmpty)
        #expect(!leaf.info.examples.isEmpty)
        for declaration in leaf.declarations {
            #expect(!declaration.help.isEmpty, "\(declaration.name)")
        }
        for example in leaf.info.examples {
            let words = CommandExample(leaf, example.line).words
            var path = "settle"
            guard case .run(let make, let rest) = try Settle.tree.resolve(words, path: &path) else {
                Issue.record("'\(example.line)' runs nothing")
                continue
            }
            #expect(path == "settle \(leaf.name)", "\(example.line)")
            _ = try Settle.tree.parse(make(), rest, path, [:])
        }
    }

    @Test(arguments: CommandLeaf.all)
    func `a mistyped option is refused with the one that was meant`(leaf: CommandLeaf) async {
        for declaration in leaf.declarations {
            for name in declaration.names where name.hasPrefix("--") && name.count > 5 {
                let result = await typingInside(leaf.path + [name + "x"])
                #expect(result.exitCode == .usage)
                #expect(
                    result.errors
                        == "settle: unknown option '\(name)x' for '\(leaf.name)'. Did you mean '\(name)'? "
                        + "Try 'settle \(leaf.name) --help'.\n")
                #expect(result.output == "")
            }
        }
        let nonsense = await typingInside(leaf.path + ["--utter-nonsense"])
        #expect(nonsense.exitCode == .usage)
        #expect(nonsense.errors.hasPrefix("settle: unknown option '--utter-nonsense' for '\(leaf.name)'."))
    }

    @Test(arguments: CommandLeaf.all.filter { $0.declarations.contains(where: \.isRequired) })
    func `what is missing is named`(leaf: CommandLeaf) async throws {
        let required = leaf.declarations.first { $0.isRequired }
        let first = try #require(required)
        let result = await typingInside(leaf.path)
        #expect(result.exitCode == .usage)
        let what =
            first.kind == .argument ? "argument \(first.valueName)" : "option '\(first.name) \(first.valueName)'"
        #expect(
            result.errors
                == "settle: missing \(what) for '\(leaf.name)'. Try 'settle \(leaf.name) --help'.\n")
    }

    @Test(arguments: CommandLeaf.all)
    func `help answers at every level, and shows every parameter and example`(leaf: CommandLeaf) async {
        for depth in leaf.path.indices {
            let place = Array(leaf.path[...depth])
            let help = await typingInside(place + ["-h"])
            #expect(help.exitCode == .ok)
            #expect(help.output.contains("Usage: settle \(place.joined(separator: " "))"))
            #expect(help.errors == "")
            #expect(await typingInside(place + ["--help"]).output == help.output)
            #expect(await typingInside(["help"] + place).output == help.output)
        }
        let help = await typingInside(leaf.path + ["-h"]).output
        for declaration in leaf.declarations {
            #expect(help.contains(declaration.name), "\(declaration.name)")
        }
        // A line of JSON is there to be copied.
        for line in help.split(separator: "\n") where !line.hasPrefix("  {") { #expect(line.count <= 80, "\(line)") }
        for example in leaf.info.examples { #expect(help.contains("    \(example.line)\n")) }
        guard !leaf.info.isHidden else { return }
        let above = await typingInside(Array(leaf.path.dropLast()) + ["-h"]).output
        #expect(above.contains(leaf.info.summary.split(separator: " ").prefix(3).joined(separator: " ")))
    }

    @Test(arguments: CommandLeaf.all.filter { !$0.info.isHidden })
    func `completion offers every command, option and value`(leaf: CommandLeaf) {
        for depth in leaf.path.indices {
            let offered = candidates(Array(leaf.path[..<depth]) + [""])
            #expect(offered.contains(leaf.path[depth]))
        }
        let offered = candidates(leaf.path + ["--"])
        for declaration in leaf.declarations where declaration.kind != .argument {
            for name in declaration.names where name.hasPrefix("--") { #expect(offered.contains(name)) }
            guard let name = declaration.names.first, !declaration.allowedValues.isEmpty else { continue }
            #expect(candidates(leaf.path + [name, ""]) == declaration.allowedValues, "\(name)")
        }
        #expect(offered.contains("--help"))
    }

    private func candidates(_ words: [String]) -> [String] {
        Settle.tree.completions(of: words).map { String($0.split(separator: "\t")[0]) }
    }

    @Test func `bash completes what the program knows, through the script that it prints`() async throws {
        let script = try await Program.run("completion", "bash").output
        for (typed, expected) in [
            ("dlq l", "list"), ("doctor --js", "--json"), ("trade list --color ", "auto always never"),
            ("verif", "verify"),
        ] {
            let words = (["settle"] + typed.split(separator: " ", omittingEmptySubsequences: false).map(String.init))
            let shell = Process()
            shell.executableURL = URL(fileURLWithPath: "/bin/bash")
            let quoted = words.map { "'\($0)'" }.joined(separator: " ")
            shell.arguments = [
                "-c",
                """
                \(script)
                COMP_WORDS=(\(quoted)); COMP_CWORD=\(words.count - 1)
                _settle "$0" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
                echo "${COMPREPLY[*]}"
                """, Program.path,
            ]
            let output = Pipe()
            shell.standardOutput = output
            try shell.run()
            let text = String(decoding: try output.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
            shell.waitUntilExit()
            #expect(text.split(whereSeparator: \.isWhitespace).joined(separator: " ") == expected, "\(typed)")
        }
    }
}
