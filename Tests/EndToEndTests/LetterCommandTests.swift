import Foundation
import SettleTesting
import Testing

/// `settle dlq list`, `show` and `retry`.
@Suite struct LetterCommandTests {
    /// A letter of each kind: 1 unknown market, 2 undecodable bytes, 3 invalid, 4 conflict (letter by letter, so that
    /// their numbers are known), then 5 for want of money and 6 for want of an account.
    private func letters(_ database: TestDatabase) async throws {
        try await database.fund()
        try await withFolder { folder in
            let path = folder + "/bytes"
            for bytes in [
                Array(tradeLine("1", market: "BTC/EUR").utf8), [0xFF, 0x00, 0x1B],
                Array(tradeLine("3", price: "-1").utf8),
                Array((tradeLine("4") + tradeLine("4", price: "5")).utf8),
            ] {
                try write(bytes, to: path)
                #expect(try await database.typing("trade submit \(path)").exitCode == 1)
            }
        }
        for line in [tradeLine("5", quantity: "9", buyer: "bob", seller: "alice"), tradeLine("6", buyer: "carol")] {
            #expect(try await database.typing("trade submit", input: line).exitCode == 0)
            try await database.expecting("worker --once --log-level error")
        }
    }

    private func ids(_ database: TestDatabase, _ filter: String) async throws -> [Int] {
        try await database.expecting("dlq list -o jsonl \(filter)").matches(of: /\{"id":(\d+),/).map { Int($0.1)! }
    }

    @Test func `letters are listed by each filter alone and together, in pages`() async throws {
        let database = try TestDatabase()
        let none = try await database.typing("dlq list")
        #expect(none.output == "")
        #expect(none.errors == "No such dead letters.\n")
        #expect(try await database.expecting("dlq list --json") == "[]\n")
        try await letters(database)
        try database.execute("update dead_letters set parked_at = '2026-01-01T00:00:00Z' where letter_no = 1")

        for (filter, expected) in [
            ("", [1, 2, 3, 4, 5, 6]), ("--class unknown_market", [1]), ("--class undecodable", [2]),
            ("--class invalid", [3]), ("--class conflict", [4]), ("--class insufficient_funds", [5]),
            ("--class unknown_account", [6]), ("--class queue_full", []), ("--market BTC-EUR", [1]),
            ("--market BTC/USDT", [3, 4, 5, 6]), ("--account carol", [6]), ("--account bob", [1, 3, 4, 5, 6]),
            ("--since 2026-01-02", [2, 3, 4, 5, 6]), ("--until 2026-01-02", [1]), ("--since now", []),
            ("--since 2026-01-01T00:00:00Z --until 2026-01-01T00:00:00.000001Z", [1]), ("--status retried", []),
            ("--class conflict --market BTC/USDT --account alice --since 1h --status open", [4]),
            ("--class conflict --account carol", []), ("--limit 2", [1, 2]), ("--limit 2 --after 4", [5, 6]),
        ] {
            #expect(try await ids(database, filter) == expected, "\(filter)")
        }
        let page = try await database.typing("dlq list --limit 2 --after 1 --json")
        #expect(page.errors == "6 dead letters match\nmore: --after 3\n")
        #expect(try await database.typing("dlq list --class conflict").errors == "Next: settle dlq show 4\n")
        #expect(
            try await database.typing("dlq stats").errors == "Next: settle dlq list --class conflict\n")
        #expect(try await database.typing("dlq stats --json").errors == "")
        #expect(try JSONSerialization.jsonObject(with: Data(page.output.utf8)) is [[String: Any]])
        #expect(try await database.typing("dlq list --limit 2 --after 4").errors == "Next: settle dlq show 5\n")
        #expect(
            try await database.expecting("dlq list --class unknown_account").withoutTimes
                == """
                ID  TRADE       CLASS            PARKED  REASON
                 6  BTC/USDT:6  unknown_account  TIME  there is no account carol (the buyer); a first deposit opens it

                """.replacing("PARKED  REASON", with: "PARKED                REASON"))
        let all = try await database.expecting("dlq list --status all --limit 3").withoutTimes
        #expect(all.hasPrefix("ID  STATUS  TRADE "), "\(all)")
        #expect(try await ids(database, "--status all") == [1, 2, 3, 4, 5, 6])
        #expect(try await ids(database, "--status all --limit 2 --after 4") == [5, 6])
        let ago = try await database.running(["dlq", "list", "--since", "30m ago", "-o", "jsonl"])
        #expect(ago.lines.count == 5, "\(ago)")
        for bad in [
            "--class gone", "--status shut", "--limit 0", "--after x", "--market BTC", "--until x", "--account=",
        ] {
            #expect(try await database.typing("dlq list \(bad)").exitCode == 64, "\(bad)")
        }
        #expect(
            try await database.expecting("dlq list --class insufficient_funds --json").withoutTimes
                .replacing(/"source": "[^"]*"/, with: "") == """
                    [
                      {
                        "id": 5,
                        "status": "open",
                        "class": "insufficient_funds",
                        "message": "buyer bob has 100.000000 USDT available, needs 900.000000 USDT: 800.000000 USDT missing",
                        "market": "BTC/USDT",
                        "trade_id": "5",
                        "buyer_id": "bob",
                        "seller_id": "alice",
                        "attempts": 1,
                        ,
                        "parked_at": "TIME",
                        "changed_at": "TIME",
                        "trade_status": "FAILED",
                        "stored": true,
                        "settled_meanwhile": false,
                        "version": 1,
                        "shortfall": {
                          "account": "bob",
                          "asset": "USDT",
                          "needed": "900.000000",
                          "available": "100.000000",
                          "held": "0.000000",
                          "missing": "800.000000"
                        }
                      }
                    ]

                    """)
        #expect(try database.violations() == [])
    }

    @Test func `a letter is shown with its payload as received, text or bytes, and its history`() async throws {
        let database = try TestDatabase()
        try await letters(database)
        let user = try database.value("select actor from dead_letter_attempts where letter_no = 1")
        #expect(
            try await database.expecting("dlq show 1").withoutTimes.replacing(/(?m)^from .*\n/, with: "from\n") == """
                dead letter 1, open: BTC/EUR:1
                class    unknown_market
                why      there is no market BTC/EUR
                from
                trade    alice buys 1 BTC at 100 EUR from bob
                payload  {"id":"1","market":"BTC/EUR","price":"100","quantity":"1","buyer_id":"alice","seller_id":"bob"}
                history
                  TIME  parked as unknown_market by \(user): there is no market BTC/EUR

                Next: settle asset add EUR --decimals …
                Then: settle market add BTC/EUR
                Then: settle dlq retry 1
                Or: settle dlq discard 1 --reason '…'

                """)
        let bytes = try await database.expecting("dlq show 2 --json")
        #expect(bytes.contains("\"payload\": \"ff001b\""))
        #expect(bytes.contains("\"payload_encoding\": \"hex\""))
        #expect(bytes.contains("\"trade_id\": null"))
        let missing = try await database.typing("dlq show 99")
        #expect(missing.exitCode == 5)
        #expect(missing.errors == "settle: there is no dead letter 99; 'settle dlq list' shows those there are\n")
        for bad in ["x", "", "1 2", "99999999999999999999", "1.0"] {
            #expect(try await database.typing("dlq show \(bad)").exitCode == 64, "\(bad)")
        }
    }

    @Test func `a dry run predicts what the retry then does, and changes nothing`() async throws {
        let database = try TestDatabase()
        try await letters(database)
        try await database.expecting("deposit alice 10 BTC --id d1")
        try await database.expecting("asset add EUR --decimals 2")
        try await database.expecting("market add BTC/EUR")
        try await database.expecting("deposit alice 200 EUR --id d2")
        try await database.expecting("deposit bob 1000 USDT --id d3")
        let before = try database.contents()
        let prediction = try await database.expecting("dlq retry --all --dry-run")
        #expect(
            prediction == """
                ID  TRADE       PREDICTION
                 1  BTC/EUR:1   would settle
                 2  -           would be parked again: expected a value, found byte 0xff (byte 0)
                 3  BTC/USDT:3  would be parked again: price: must be greater than zero, is -1 (byte 38)
                 4  BTC/USDT:4  would be parked again: trade BTC/USDT:4 exists with other content: price 5 instead of 100
                 5  BTC/USDT:5  would settle
                 6  BTC/USDT:6  would be parked again: there is no account carol (the buyer); a first deposit opens it

                """)
        #expect(
            try await database.typing("dlq retry --all --dry-run").errors
                == "2 would settle, 4 would be parked again\ndry run: nothing was changed\n"
        )
        #expect(
            try await database.expecting("dlq retry 5 --dry-run -o jsonl") == """
                {"id":5,"market":"BTC/USDT","trade_id":"5","would_settle":true,"outcome":"settle","class":null,\
                "prediction":"would settle"}

                """)
        #expect(try database.contents() == before)

        let retry = try await database.typing("dlq retry --all --yes --json")
        #expect(retry.exitCode == 1)
        #expect(
            retry.output == """
                {
                  "retried": 6,
                  "settled": 2,
                  "parked_again": 4,
                  "waiting": 0,
                  "left_alone": 0,
                  "stopped": false
                }

                """)
        #expect(retry.errors == "settle: 4 could not be settled; 'settle dlq list' says why\n")
        #expect(try await ids(database, "") == [2, 3, 4, 6])
        #expect(try await ids(database, "--status retried") == [1, 5])
        // A retry that cannot begin is recorded as such, and keeps the words of the difference.
        #expect(
            try database.value("select message from dead_letters where letter_no = 4")
                == "trade BTC/USDT:4 exists with other content: price 5 instead of 100")
        #expect(
            try database.value(
                "select string_agg(action, ' ' order by number) from dead_letter_attempts where letter_no = 4")
                == "parked refused")
        #expect(
            try await database.expecting("dlq retry 1 --dry-run")
                == "ID  TRADE      PREDICTION\n 1  BTC/EUR:1  is retried, would be left alone\n")
        #expect(
            try await database.expecting("dlq retry 1 5 1")
                == "0 retried: 0 settled, 0 parked again, 0 still waiting; 2 were not open\n")
        #expect(try database.violations() == [])
    }

    @Test func `the money goes to the older trade, in the prediction and in the retry`() async throws {
        let database = try TestDatabase()
        try await database.fund()
        // Twelve trades of which each needs all that will be there; their letters are numbered in another order.
        let lines = (1...12).map { tradeLine("t\($0)", buyer: "carol") }
        _ = try await database.typing("trade submit", input: lines.joined())
        try await database.expecting("worker --once --log-level error")
        try await database.expecting("deposit carol 100 USDT --id d1")
        let predicted = try await database.expecting("dlq retry --all --dry-run -o jsonl").split(separator: "\n")
        #expect(predicted.count == 12)
        #expect(predicted.first?.contains(#""trade_id":"t1","would_settle":true"#) == true)
        #expect(predicted.count { $0.contains("\"would_settle\":true") } == 1)
        let retry = try await database.typing("dlq retry --class unknown_account --yes")
        #expect(retry.output == "12 retried: 1 settled, 11 parked again, 0 still waiting\n")
        #expect(try database.value("select trade_id from trades where status = 'SETTLED'") == "t1")
        #expect(try database.violations() == [])
    }

    @Test func `a trade that fails again keeps its history`() async throws {
        let database = try TestDatabase()
        try await letters(database)
        let first = try await database.running(["dlq", "retry", "5", "--reason", "try\u{1B}[2J it"])
        #expect(first.exitCode == 1)
        #expect(first.output == "1 retried: 0 settled, 1 parked again, 0 still waiting\n")
        try await database.expecting("deposit alice 10 BTC --id d1")
        try await database.expecting("deposit bob 1000 USDT --id d2")
        #expect(
            try await database.expecting("dlq retry 5 --reason paid")
                == "1 retried: 1 settled, 0 parked again, 0 still waiting\n")
        let shown = try await database.expecting("dlq show 5")
        #expect(
            shown.matches(of: #/Z  (\w+)(?: as \w+)? by /#).map { String($0.1) }
                == ["parked", "retried", "parked", "retried"])
        #expect(shown.contains(#"try\u{1B}[2J it"#))
        #expect(shown.contains(": paid\n"))
        #expect(shown.contains("stands   SETTLED in batch"))
        #expect(shown.hasSuffix("\nNothing is left to do: the trade is settled.\n"))
        #expect(try database.violations() == [])
    }

    @Test func `what changes many letters asks, and without a terminal names the flag`() async throws {
        let database = try TestDatabase()
        try await letters(database)
        let before = try database.contents()
        for line in ["dlq retry --all", "dlq retry --class undecodable", "dlq retry --since 1h"] {
            let result = try await database.typing(line)
            #expect(result.exitCode == 64, "\(line)")
            #expect(result.errors.contains("give --yes to go on"))
        }
        for (line, code) in [
            ("dlq retry", 64), ("dlq retry 1 --all", 64), ("dlq retry 1 --market BTC/EUR", 64), ("dlq retry x", 64),
            ("dlq retry 1 99", 5), ("dlq retry 99 --dry-run", 5), ("dlq retry --clas invalid", 64),
        ] {
            #expect(try await database.typing(line).exitCode == Int32(code), "\(line)")
        }
        #expect(try await database.expecting("dlq retry --class queue_full --yes").hasPrefix("0 retried"))
        #expect(
            try await database.typing("dlq retry --class queue_full --dry-run").errors
                == "No such dead letters.\ndry run: nothing was changed\n")
        #expect(try database.contents() == before)
    }

    @Test func `at a terminal the question is asked, and no is exit 2`() async throws {
        let database = try TestDatabase()
        _ = try await database.typing("trade submit", input: tradeLine("1"))
        let before = try database.contents()
        let terminal = Process()
        terminal.executableURL = URL(fileURLWithPath: "/usr/bin/script")
        terminal.arguments = ["-qec", "'\(Program.path)' dlq retry --all", "/dev/null"]
        terminal.environment = ProcessInfo.processInfo.environment.merging([
            "DATABASE_URL": database.connectionString, "SETTLE_MIGRATIONS": migrationsDirectory,
        ]) { $1 }
        let (input, output) = (Pipe(), Pipe())
        terminal.standardInput = input
        terminal.standardOutput = output
        try terminal.run()
        try input.fileHandleForWriting.write(contentsOf: Data("n\n".utf8))
        let text = String(decoding: try output.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
        terminal.waitUntilExit()
        #expect(terminal.terminationStatus == 2)
        #expect(text.contains("Retry 1 dead letter? [y/N] "))
        #expect(text.contains("settle: cancelled; nothing was changed."))
        #expect(try database.contents() == before)
        #expect(try database.violations() == [])
    }
}
