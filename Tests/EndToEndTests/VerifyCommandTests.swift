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
                  "kind": "full",
                  "from_batch": 1,
                  "to_batch": 3,
                  "settled_trades": 1,
                  "entries": 8,
                  "accounts": 2,
                  "violations": [],
                  "missing": []
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

    @Test func `since the last clean run, what came is read and all balances are compared`() async throws {
        let database = try TestDatabase()
        let never = try await database.typing("verify --since")
        #expect(never.exitCode == 1)
        #expect(
            never.errors
                == "settle: there is no clean run to continue from. Run 'settle verify' without '--since'.\n"
        )
        try await settled(database)
        try await database.expecting("verify")
        #expect(
            try await database.expecting("verify --since")
                == "The books balance from batch 4 on: 0 settled trades, 0 ledger entries, 2 accounts.\n")
        try await database.expecting("deposit carol 1 BTC --id fund-carol")
        #expect(
            try await database.expecting("verify --since")
                == "The books balance from batch 4 on: 0 settled trades, 2 ledger entries, 3 accounts.\n")
        try database.execute(
            "update balances set available = available + 1 where account_no = "
                + "(select account_no from accounts where id = 'carol')")
        let nudged = try await database.typing("verify --since --json")
        #expect(nudged.exitCode == 3)
        #expect(nudged.output.contains(#""kind": "since""#))
        #expect(nudged.output.contains("balance of customer carol in BTC"))
        #expect(
            try database.value(
                "select string_agg(concat_ws(' ', kind, from_batch, to_batch, violations > 0), ', ' order by run_no) "
                    + "from verification_runs")
                == "full 1 3 f, since 4 3 f, since 4 4 f, since 5 4 t")
    }

    @Test func `records that an engine's feed no longer had are named, and are no violation`() async throws {
        let database = try TestDatabase()
        try database.execute(
            "insert into feed_state (stream) values ('main'); "
                + "insert into feed_gaps (stream, first_seq, last_seq) values ('main', 1, 9)")
        #expect(
            try await database.expecting("verify") == """
                missing: stream main: records 1 to 9, which the feed no longer had
                The books balance: 0 settled trades, 0 ledger entries, 0 accounts.

                """)
        #expect(
            try await database.expecting("verify --json").contains(
                #""stream main: records 1 to 9, which the feed no longer had""#))
    }

    @Test func `where nothing may be written, it says what it needs`() async throws {
        let database = try TestDatabase()
        try database.execute("alter database \(database.name) set default_transaction_read_only = on")
        let result = try await database.typing("verify")
        #expect(result.exitCode == 1)
        #expect(
            result.errors
                == "settle: this server takes no writes, as a standby does, and a run needs a temporary table. Verify "
                + "where trades are settled.\n")
    }

    @Test func `a worker finds damage by itself, and the doctor says so until it is gone`() async throws {
        let database = try TestDatabase()
        try await settled(database)
        let worker = try await Program.worker(on: database, environment: ["SETTLE_VERIFY_INTERVAL_SECONDS": "1"])
        func violations() throws -> String { try database.value("select violations from verification_state") }
        func verification() async throws -> (exitCode: Int32, lines: String) {
            let result = try await database.typing("doctor")
            let lines = result.output.split(separator: "\n").drop { !$0.contains("  verification ") }.prefix(2)
            return (result.exitCode, lines.joined(separator: "\n"))
        }
        try await eventually("the books are verified") {
            try database.value("select verified_before from verification_state") == "4"
        }
        #expect(try await verification().lines.contains("the books balance up to batch 3, verified at "))

        try database.execute("update balances set available = available + 1 where version = 1")
        try await eventually("the damage is found") { try violations() != "0" }
        let doctor = try await verification()
        #expect(doctor.exitCode == 3)
        #expect(doctor.lines.contains("problem") && doctor.lines.contains("the books do not balance: "))
        #expect(doctor.lines.contains(" found by a worker at "))
        #expect(doctor.lines.contains("→ settle verify"))

        try database.execute("update balances set available = available - 1 where version = 1")
        try await eventually("it is gone") { try violations() == "0" }
        let ended = await worker.stop()
        #expect(ended.exitCode == 0)
        #expect(ended.errors.contains(#"event="the books do not balance" invariant=1 subject="asset "#))
        #expect(ended.errors.contains(#"event="the books are verified again""#))
        #expect(try database.violations() == [])
    }
}
