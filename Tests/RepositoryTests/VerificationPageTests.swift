import Foundation
import SettleTesting
import Testing
import TradeModel
import WalletClient

@testable import Repository

/// docs/verify.md has what the program asks, and it can be asked by hand.
@Suite struct VerificationPageTests {
    /// The SQL of the page in its order; a query of the program begins with its name.
    private static let blocks: [String] = {
        let page = URL(fileURLWithPath: migrationsDirectory).deletingLastPathComponent()
            .appendingPathComponent("docs/verify.md")
        let text = (try? String(contentsOf: page, encoding: .utf8)) ?? ""
        return text.split(separator: "```sql\n").dropFirst().map { String($0.split(separator: "```")[0]) }
    }()

    /// As the page writes a statement: with its name, and with psql's variables in place of its parameters.
    private static func block(_ statement: Statement, _ variables: [String]) -> String {
        var sql = statement.sql
        for (number, variable) in variables.enumerated() { sql = sql.replacing("$\(number + 1)", with: ":" + variable) }
        return "-- \(statement.name)\n\(sql);\n"
    }

    @Test func `the page has every query word for word`() {
        let ranges = Verification.rangeChecks(.ofThisRun).map { Self.block($0.statement, ["first", "last", "limit"]) }
        let standing = Verification.standingChecks(.ofThisRun, .noted).map { Self.block($0.statement, ["limit"]) }
        let others = [
            Self.block(BatchRanges.endStatement, ["first", "last", "entries"]),
            Self.block(Verification.missingStatement, ["limit"]),
            Self.block(VerifiedBalances.noteStatement, []), Self.block(VerifiedStreams.noteStatement, []),
        ]
        let expected = ranges + standing + others
        for block in expected {
            #expect(Self.blocks.contains(block), "docs/verify.md lacks or has otherwise:\n\(block)")
        }
        #expect(Self.blocks.count { $0.hasPrefix("-- verify_") } == expected.count)
    }

    @Test func `the tables of one's own are those that the program makes`() throws {
        func words(_ text: String) -> String { text.split(whereSeparator: \.isWhitespace).joined(separator: " ") }
        let creations = Self.blocks.filter { $0.hasPrefix("drop table") }
        #expect(creations.count == 4)
        let made = try TestDatabase().value("select prosrc from pg_proc where proname = 'begin_verification'")
        for creation in creations { #expect(words(made).contains(words(creation))) }
    }

    /// Runs the page from its top to its end as psql would, and returns how many rows each query gave.
    private func typed(_ database: TestDatabase) throws -> [String: Int] {
        let connection = try database.connect()
        var variables: [String: String] = [:]
        var counts: [String: Int] = [:]
        for block in Self.blocks {
            var sql = ""
            for line in block.split(separator: "\n") {
                let words = line.split(separator: " ")
                if words[0] == "\\set" { variables[String(words[1])] = String(words[2]) } else { sql += line + "\n" }
            }
            for (name, value) in variables { sql = sql.replacing(":\(name)", with: value) }
            let name = block.hasPrefix("-- ") ? String(block.dropFirst(3).prefix { $0 != "\n" }) : nil
            if let name {
                while sql.hasSuffix("\n") { sql.removeLast() }
                counts[name] = try connection.query(Statement(name, String(sql.dropLast()))).count
            } else if !sql.isEmpty {
                try connection.script(sql)
            }
        }
        connection.rollBack()
        return counts
    }

    @Test func `who types it finds what the program finds`() async throws {
        let database = try TestDatabase()
        try database.addMarket()
        _ = try await database.wallet().settle([
            operation("d1", .deposit, "alice", "1000", "USDT"), operation("d2", .deposit, "bob", "2", "BTC"),
            operation("r1", .reserve, "bob", "1", "BTC", order: "o1"), trade("t1", quantity: "0.5"),
            trade("t2", quantity: "5"),
        ])
        var counts = try typed(database)
        #expect(counts.removeValue(forKey: "verify_range_end") == 0)
        #expect(counts.count == 24)
        #expect(counts.allSatisfy { $0.value == 0 }, "\(counts)")

        try database.damage(
            """
            update balances set available = available + 1 where version = 2;
            delete from ledger_entries where place = 0;
            delete from dead_letters
            """)
        let found = try typed(database).filter { $0.value > 0 }
        #expect(
            Set(found.keys) == [
                "verify_1_totals", "verify_2_balances", "verify_3_operations", "verify_3_batches", "verify_4_states",
            ])
        #expect(try Set(database.violations().map { $0.prefix(2) }) == ["1:", "2:", "3:", "4:"])
    }
}
