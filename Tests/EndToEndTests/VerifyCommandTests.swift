import Foundation
import SettleTesting
import Testing

/// `settle verify`: 0 while the books are right, 3 and the subject's name when somebody damaged them.
@Suite struct VerifyCommandTests {
    private func settled(_ database: TestDatabase) async throws {
        try await database.fund()
        _ = try await database.typing("trade submit", input: tradeLine("1") + tradeLine("2", quantity: "90"))
        try await database.expecting("worker --once --log-level error")
    }

    @Test func `clean books are summed up in text and JSON`() async throws {
        let database = try TestDatabase()
        #expect(
            try await database.expecting("verify")
                == "The books balance: 0 settled trades, 0 ledger entries, 0 accounts.\n")
        try await settled(database)
        #expect(
            try await database.expecting("verify")
                == "The books balance: 1 settled trade, 8 ledger entries, 2 accounts.\n")
        #expect(
            try await database.expecting("verify --json") == """
                {
                  "clean": true,
                  "settled_trades": 1,
                  "entries": 8,
                  "accounts": 2,
                  "violations": []
                }

                """)
        #expect(try await database.typing("verify --bogus").exitCode == 64)
        #expect(try await database.typing("verify extra").exitCode == 64)
    }

    static let damages: [(sql: String, invariant: Int, subject: String)] = [
        (
            "update balances set available = available + 1 where account_no = (select account_no from accounts where id = 'bob')",
            1, "asset USDT"
        ),
        (
            "update balances set version = version + 1 where account_no = (select account_no from accounts where id = 'bob')",
            2, "balance of customer bob in USDT"
        ),
        (
            "alter table trades disable trigger all; update trades set price = 101 where trade_id = '1'", 3,
            "trade BTC/USDT:1"
        ),
        ("update operations set amount = amount + 1 where key = 'fund-alice'", 3, "operation fund-alice"),
        ("update batches set entries = entries + 1 where trades = 1", 3, "batch "),
        ("delete from dead_letter_attempts; delete from dead_letters", 4, "trade BTC/USDT:2"),
        (
            "alter table balances drop constraint balances_check; update balances set available = -1 where account_no = "
                + "(select account_no from accounts where id = 'bob')", 5, "balance of bob in USDT"
        ),
        (
            "update balances set frozen = 1 where account_no = (select account_no from accounts where id = 'bob')", 6,
            "balance of bob in USDT"
        ),
    ]

    @Test(arguments: damages)
    func `damage is found and named`(sql: String, invariant: Int, subject: String) async throws {
        let database = try TestDatabase()
        try await settled(database)
        try database.execute(sql)
        let text = try await database.typing("verify")
        #expect(text.exitCode == 3)
        #expect(text.output.contains("invariant \(invariant): \(subject)"), "\(text.output)")
        #expect(text.errors == "settle: the books do not balance\n")
        let json = try await database.typing("verify --json")
        #expect(json.exitCode == 3)
        let report = try #require(try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any])
        #expect(report["clean"] as? Bool == false)
        let violations = try #require(report["violations"] as? [[String: Any]])
        #expect(
            violations.contains {
                $0["invariant"] as? Int == invariant && ($0["subject"] as? String)?.hasPrefix(subject) == true
            })
    }

    @Test func `a name that would act on a terminal is shown harmless`() async throws {
        let database = try TestDatabase()
        try database.addMarket()
        try await database.expecting("deposit a\u{202E}b 1 USDT --id d1")
        try database.execute("update balances set version = 7")
        let result = try await database.typing("verify")
        #expect(result.exitCode == 3)
        #expect(result.output.contains(#"balance of customer a\u{202E}b in USDT"#))
    }
}
