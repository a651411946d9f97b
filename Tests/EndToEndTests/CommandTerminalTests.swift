import Foundation
import SettleTesting
import Testing

@testable import CommandKit

/// What commands do at a terminal, and how soon they answer there.
@Suite struct CommandTerminalTests {
    private static let readers = CommandLeaf.all.filter(\.isQuickReader)

    private static func firstExample(of leaf: CommandLeaf) -> CommandExample? {
        CommandExample.all.first { $0.leaf.name == leaf.name }
    }

    /// What a command shows on a pseudo-terminal.
    private func screen(_ words: [String], _ environment: [String: String]) throws -> String {
        let terminal = Process()
        terminal.executableURL = URL(fileURLWithPath: "/usr/bin/script")
        let line = ([Program.path] + words).map { "'\($0)'" }.joined(separator: " ")
        terminal.arguments = ["-qec", line, "/dev/null"]
        let inherited = ProcessInfo.processInfo.environment.filter { $0.key != "NO_COLOR" }
        terminal.environment = inherited.merging(environment) { $1 }.merging([
            "SETTLE_MIGRATIONS": migrationsDirectory, "TERM": "xterm",
        ]) { $1 }
        let (input, output) = (Pipe(), Pipe())
        terminal.standardInput = input
        terminal.standardOutput = output
        try terminal.run()
        let text = String(decoding: try output.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
        terminal.waitUntilExit()
        try input.fileHandleForWriting.close()
        return text
    }

    @Test(arguments: readers)
    func `a terminal gets colour unless somebody says no`(leaf: CommandLeaf) async throws {
        let database = try await ExampleDatabase.copy()
        let words = try #require(Self.firstExample(of: leaf)).words
        let environment = ["DATABASE_URL": database.connectionString]
        let coloured = try screen(words, environment)
        if leaf.path.last == "list" { #expect(coloured.contains("\u{1B}[1m"), "\(coloured)") }
        let colour = #/\u{1B}\[\d+m/#
        let plain = try screen(words, environment.merging(["NO_COLOR": "1"]) { $1 })
        #expect(!plain.contains(colour))
        #expect(try !screen(words + ["--color", "never"], environment).contains(colour))
        #expect(coloured.replacing(colour, with: "") == plain)
    }

    @Test(arguments: ["dlq list", "dlq stats", "trade list", "account list", "statement 1001 USDT"])
    func `on 80 columns a table shows every time whole, in seconds`(line: String) async throws {
        let database = try await ExampleDatabase.copy()
        let terminal = try PseudoTerminal(
            line.split(separator: " ").map(String.init), columns: 80, rows: 60,
            environment: ["DATABASE_URL": database.connectionString, "NO_COLOR": "1"])
        #expect(try await terminal.wait() == 0)
        let lines = terminal.screen.transcript.filter { $0.contains(#/20\d\d-/#) }
        #expect(!lines.isEmpty)
        for line in lines {
            #expect(line.columns <= 80)
            #expect(line.contains(#/20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ/#), "\(line)")
        }
    }

    @Test(arguments: [
        ("dlq list", ["insufficient_funds", "BTC/USDT:30 ", "81000.000000 USDT"]),
        ("dlq stats", ["insufficient_funds "]), ("dlq show 1", ["buyer 1001", "seller 1002", "180000.000000"]),
        ("explain 9001", ["1001  ", "99900.000000"]), ("explain 1", ["missing."]),
        ("statement 1001 USDT", ["trade BTC/USDT:9001", "100 USDT"]), ("trade show 1", ["missing"]),
        ("account list", ["1003 "]),
    ])
    func `on 80 columns names stay whole, and of a single thing nothing is lost`(line: String, parts: [String])
        async throws
    {
        let database = try await ExampleDatabase.copy()
        let terminal = try PseudoTerminal(
            line.split(separator: " ").map(String.init), columns: 80, rows: 60,
            environment: ["DATABASE_URL": database.connectionString, "NO_COLOR": "1"])
        #expect(try await terminal.wait() == 0)
        let lines = terminal.screen.transcript
        for part in parts { #expect(lines.contains { $0.contains(part) }, "\(part) in \(lines)") }
        if line.hasPrefix("dlq list") { return }
        #expect(!lines.contains { $0.contains("…") && !$0.contains("--reason '…'") }, "\(lines)")
    }

    @Test(arguments: readers)
    func `a command that only reads answers about as soon as the program starts`(leaf: CommandLeaf) async throws {
        let database = try await ExampleDatabase.copy()
        let words = try #require(Self.firstExample(of: leaf)).words
        let environment = ["DATABASE_URL": database.connectionString]
        var (start, answer) = (Duration.seconds(60), Duration.seconds(60))
        // The quickest of several: what else the machine does is no concern of the command.
        for _ in 0..<30 {
            start = min(start, try await time(["--version"], environment))
            answer = min(answer, try await time(words, environment))
            if answer < start * 5 + .milliseconds(250) { return }
        }
        Issue.record("\(answer) and \(start)")
    }

    private func time(_ words: [String], _ environment: [String: String]) async throws -> Duration {
        let clock = ContinuousClock()
        let start = clock.now
        let result = try await Program(words, environment: environment).wait()
        #expect(result.exitCode == 0, "\(words): \(result.errors)")
        return clock.now - start
    }
}
