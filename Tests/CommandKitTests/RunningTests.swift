import Glibc
import Testing

@testable import CommandKit

@Suite("Running")
struct RunningTests {
    @Test("exit codes are what scripts rely on")
    func codes() {
        #expect(ExitCode.allCases.map(\.rawValue) == [0, 1, 2, 3, 5, 64, 69, 130])
    }

    @Test("a failure is one line and its code; the detail is for --verbose")
    func failure() async {
        let run = await depot("fail", "plainly")
        #expect(run.err == "depot: no parcel\\n7.\n")
        #expect(run.code == .notFound)
        #expect(await depot("fail", "plainly", "-v").err == "depot: no parcel\\n7.\nlooked twice\n")
    }

    @Test("errors of other modules are explained by the caller, a cancellation ends as a forced stop")
    func foreign() async {
        let run = await depot("fail", "foreign")
        #expect(run.err == "depot: the carrier is away.\n")
        #expect(run.code == .unavailable)
        #expect(await depot("fail", "cancellation").code == .forced)
    }

    @Test("--yes goes on without a question")
    func yes() async {
        let run = await depot("parcel", "discard", "1", "--yes", answer: "n")
        #expect(run.out == "discarded 1\n")
        #expect(run.err == "")
    }

    @Test("at a terminal the answer decides", arguments: ["y", "YES", "n", "", "yess"])
    func answers(answer: String) async {
        let run = await depot("parcel", "discard", "1", "2", answer: answer)
        let agreed = ["y", "YES"].contains(answer)
        #expect(run.code == (agreed ? .ok : .cancelled))
        #expect(run.out == (agreed ? "discarded 1 2\n" : ""))
        #expect(run.err.hasPrefix("Discard 2 parcels? [y/N] "))
    }

    @Test("without a terminal and without --yes it refuses and names the flag")
    func unattended() async {
        let run = await depot("parcel", "discard", "1")
        #expect(run.code == .usage)
        #expect(run.out == "")
        #expect(
            run.err == "depot: cannot ask 'Discard 1 parcels?' without a terminal; give --yes to go on\n")
    }

    @Test("a dry run may leave out what is required for the record, and ends by saying that it was one")
    func dryRun() async {
        let run = await depot("parcel", "mark", "--dry-run")
        #expect(run.code == .ok)
        #expect(run.out == "nobody asks why\n")
        #expect(run.err == "dry run: nothing was changed\n")
        #expect(await depot("parcel", "mark", "--reason", "it is so").err == "")
        let help = await depot("parcel", "mark", "-h").out
        #expect(help.contains("Usage: depot parcel mark --reason TEXT [options]"))
        #expect(help.contains("Why. (required unless --dry-run is given)"))
    }

    @Test("a file that cannot be read or written is told in one form")
    func files() {
        for (problem, message) in [
            (FileProblem(.read, "a\u{1B}b", code: ENOENT), "cannot read a\\u{1B}b: no such file"),
            (FileProblem(.read, "a", code: EACCES), "cannot read a: permission denied"),
            (FileProblem(.read, "a", code: EISDIR), "cannot read a: it is a folder"),
            (FileProblem(.write, "a/b", code: ENOENT), "cannot write a/b: no such folder"),
            (FileProblem(.write, "a/b", code: EFBIG), "cannot write a/b: file too large"),
        ] {
            #expect(problem.failure.message == message)
            #expect(problem.failure.exit == (problem.purpose == .read ? .usage : .refused))
        }
        #expect(throws: FileProblem(.read, "/", code: EISDIR)) { try FileProblem.open("/") }
        #expect(throws: FileProblem(.read, "/nowhere/x", code: ENOENT)) { try FileProblem.open("/nowhere/x") }
    }

    @Test("what comes in pieces is read up to its end, or as far as it is wanted")
    func reading() throws {
        for (countMax, expected) in [(100, "one two"), (5, "one t")] {
            var ends: [Int32] = [0, 0]
            try #require(pipe(&ends) == 0)
            defer { close(ends[0]) }
            try writeAll("one ", to: ends[1])
            try writeAll("two", to: ends[1])
            close(ends[1])
            #expect(try FileProblem.read(ends[0], upToCount: countMax, of: "x") == Array(expected.utf8))
        }
        #expect(throws: FileProblem(.read, "x", code: EBADF)) { try FileProblem.read(-1, upToCount: 1, of: "x") }
    }

    @Test("a reader that has gone ends the program quietly")
    func brokenPipe() async {
        let errors = Written()
        let terminal = Terminal { stream, text in
            if stream == .output { throw BrokenPipe() }
            errors.add(text, to: stream)
        }
        let code = await Warehouse.tree.main(["--help"], terminal: terminal)
        #expect(code == .ok)
        #expect(errors.text(.error) == "")
    }

    @Test("writing into a pipe without a reader is a broken pipe, into a full device a failure")
    func realPipe() throws {
        let terminal = Terminal.ofProcess()
        #expect(terminal.environment["PATH"] == getenv("PATH").map { String(cString: $0) })
        var ends: [Int32] = [0, 0]
        try #require(pipe(&ends) == 0)
        close(ends[0])
        #expect(throws: BrokenPipe.self) { try writeAll("x", to: ends[1]) }
        close(ends[1])
        let full = open("/dev/full", O_WRONLY)
        defer { close(full) }
        #expect(throws: FileProblem(.write, "the output", code: ENOSPC)) {
            try writeAll("x", to: full)
        }
    }
}
