import Foundation
import SettleTesting
import Testing

@testable import settle

/// Every example of every command, run by the real program: with a database in which what they name exists, and with
/// none.
@Suite struct CommandExampleTests {
    /// What needs no database.
    static let withoutDatabase: Set<String> = [
        "audit check", "bench engine", "book", "completion", "config check", "config show", "engine", "engine forget",
        "engine promote", "engine status", "feed tail", "generate-docs", "market watch", "order amend", "order cancel",
        "order list", "order place", "order show",
    ]
    /// What prints something for another program, whatever format was asked for.
    static let ownFormat: Set<String> = ["completion", "migrate sql", "generate-docs"]

    /// What tests of its own try with smaller numbers.
    private static let all = CommandExample.all.filter { !["bench", "bench engine"].contains($0.leaf.name) }

    @Test(arguments: all)
    func `an example does what it says, and what it pipes has no colour`(example: CommandExample) async throws {
        let database = try await ExampleDatabase.database(for: example)
        let result = try await example.run(on: database.connectionString)
        #expect(!result.wasKilled)
        #expect(Self.isExpected(result, of: example), "\(result.exitCode): \(result.errors)")
        #expect(!(result.output + result.errors).contains("\u{1B}"))
        if !example.leaf.name.hasPrefix("migrate") { #expect(try database.violations() == []) }
    }

    @Test(arguments: all.filter { !Self.ownFormat.contains($0.leaf.name) })
    func `an example that is asked for JSON writes nothing else`(example: CommandExample) async throws {
        let database = try await ExampleDatabase.database(for: example)
        let isFormatted = example.words.contains { ["-o", "--output", "--json"].contains($0) }
        let result = try await example.run(on: database.connectionString, isFormatted ? [] : ["-o", "jsonl"])
        #expect(Self.isExpected(result, of: example), "\(result.exitCode): \(result.errors)")
        let documents = isFormatted ? [result.output] : result.lines
        for document in documents where !document.isEmpty {
            #expect(throws: Never.self, "\(document.prefix(200))") {
                try JSONSerialization.jsonObject(with: Data(document.utf8))
            }
        }
    }

    /// Refusals are possible, also of books that do not follow the engine at hand, and the doctor does not like that
    /// servers of tests are not durable.
    private static func isExpected(_ result: Program.Result, of example: CommandExample) -> Bool {
        switch example.leaf.path[0] {
        case "dlq", "reconcile": [0, 1].contains(result.exitCode)
        case "doctor": result.exitCode == 3
        // Nobody follows that engine.
        case "engine" where example.leaf.path.last == "forget": result.exitCode == 5
        default: result.exitCode == 0
        }
    }

    @Test(arguments: CommandLeaf.all.filter { !withoutDatabase.contains($0.name) })
    func `without the database a command is unavailable, says so in one line and writes nothing`(leaf: CommandLeaf)
        async throws
    {
        let found = CommandExample.all.first { $0.leaf.name == leaf.name && !$0.isOffline }
        let example = try #require(found)
        let result = try await example.run(on: "postgres://settle@127.0.0.1:1/settle")
        #expect(result.exitCode == 69)
        let message = "settle: cannot reach PostgreSQL at 127.0.0.1:1 (connection refused)"
        if leaf.name == "doctor" {
            #expect(result.errors == "settle: 1 problem found; what mends it stands behind each\n")
        } else {
            #expect(result.errors == message + ". Is it running? Try 'settle doctor'.\n")
            #expect(result.output == "")
        }
    }
}

extension CommandExample {
    /// Whether it asks no database by its very flags.
    fileprivate var isOffline: Bool { leaf.name == "migrate sql" && words.contains("--all") }
}
