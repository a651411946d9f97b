import Foundation
import Repository
import SettleTesting
import Testing
import TradeModel

/// `settle reconcile --against FILE`.
@Suite struct FileReconciliationTests {
    private let database: TestDatabase

    /// Trades 1 to 4 are settled, 5 is parked, and 6 waits in a market that is halted.
    init() async throws {
        database = try TestDatabase()
        try await database.fund()
        try database.addMarket("ETH/USDT")
        let settled = (1...4).map { tradeLine("\($0)", price: "10\($0).50", quantity: "0.1") }.joined()
        _ = try await database.typing("trade submit", input: settled + tradeLine("5", price: "90000"))
        try await database.expecting("worker --once --log-level error")
        try await database.expecting("market halt ETH/USDT --reason trial")
        _ = try await database.typing("trade submit", input: tradeLine("6", market: "ETH/USDT"))
        #expect(
            try database.value("select string_agg(status::text, ' ' order by trade_id) from trades")
                == "SETTLED SETTLED SETTLED SETTLED FAILED PENDING")
    }

    private func reconcile(
        _ text: String, _ flags: String = "", name: String = "trades.csv"
    ) async throws -> Program.Result {
        try await withFolder { folder in
            try write(Array(text.utf8), to: "\(folder)/\(name)")
            let words = ["reconcile", "--against", name] + flags.split(separator: " ").map(String.init)
            return try await Program(
                words, environment: ["DATABASE_URL": database.connectionString], directory: folder
            ).wait()
        }
    }

    private func json(_ result: Program.Result) throws -> [String: Any] {
        try #require(
            try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any], "\(result.errors)")
    }

    private static let header = "market,trade_id,price,quantity,buyer_id,seller_id\n"
    private static func row(_ id: Int, price: String? = nil, quantity: String = "0.1") -> String {
        "BTC/USDT,\(id),\(price ?? "10\(id).5"),\(quantity),alice,bob\n"
    }
    private static let all = header + (1...4).map { row($0) }.joined()

    @Test func `what this program exported agrees with its books`() async throws {
        _ = try await database.typing(
            "trade submit", input: tradeLine("9,\\\"x\\\"", price: "1") + tradeLine("é;ß", price: "1"))
        try await database.expecting("worker --once --log-level error")
        for (format, name) in [("csv", "mine.csv"), ("jsonl", "mine.jsonl"), ("csv", "mine"), ("jsonl", "mine")] {
            let export = try await database.expecting("export trades --format \(format)")
            let result = try await reconcile(export, name: name)
            #expect(result.exitCode == 0 && result.errors == "", "\(result)")
            #expect(result.output == "The books agree: 6 trades of \(name).\n")
        }
        #expect(try database.value("select count(*) from reconciliation_jobs where compared = 'file'") == "4")
        #expect(try database.value("select count(*) from reconciliation_errors") == "0")
        #expect(try database.violations() == [])
    }

    @Test func `numbers are compared as numbers, and only what the file says`() async throws {
        let text = """
            trade_id,PRICE,note,market
            1,101.5000,x,BTC-USDT
            2,102.5,,BTC/USDT
            3,103.50,,BTC_USDT
            4,00104.5,,BTC/USDT

            """
        let result = try await reconcile(text)
        #expect(result.exitCode == 0, "\(result)")
        #expect(result.output == "The books agree: 4 trades of trades.csv.\n")
        #expect(result.errors == "not compared: note\n")
        let lines = (1...4).map { tradeLine("\($0)", price: "10\($0).5", quantity: "0.10") }.joined()
        #expect(try await reconcile(lines, name: "t.ndjson").exitCode == 0)
        #expect(try database.violations() == [])
    }

    @Test func `each kind of finding is named, and kept`() async throws {
        // given: 1 is right, 2 has another price and buyer, 3 is not there, 4 stands twice, 5 and 6 are not settled
        let text =
            Self.header + Self.row(1) + "BTC/USDT,2,99,0.1,eve,bob\n" + Self.row(4) + Self.row(4, quantity: "7")
            + "BTC/USDT,5,90000,1,alice,bob\nETH/USDT,6,100,1,alice,bob\n" + Self.row(77) + Self.row(1)

        // when
        let result = try await reconcile(text)

        // then
        #expect(result.exitCode == 3)
        #expect(
            result.output == """
                LINE  TRADE        FINDING        FIELD     THEIRS  HERE   SEE
                   3  BTC/USDT:2   different      buyer_id  eve     alice  settle explain BTC/USDT:2
                   3  BTC/USDT:2   different      price     99      102.5  settle explain BTC/USDT:2
                   5  BTC/USDT:4   repeated       line      5       4      -
                   6  BTC/USDT:5   parked         -         -       -      settle dlq show 1
                   7  ETH/USDT:6   pending        -         -       -      settle explain ETH/USDT:6
                   8  BTC/USDT:77  missing here   -         -       -      -
                   -  BTC/USDT:3   missing there  -         -       -      settle explain BTC/USDT:3
                8 trades of trades.csv: 1 missing here, 1 missing there, 2 different, 1 pending, 1 parked, 1 repeated.

                """, "\(result.output)")
        #expect(result.errors.hasSuffix("settle: the file and the books differ\n"))
        #expect(
            result.errors.contains(
                "missing here: '--fix --reason R' stores what can be had from there as PENDING, to be settled\n"))
        #expect(
            result.errors.contains(
                "the file was to have what was settled in BTC/USDT, ETH/USDT; '--since' and '--until' bound it\n"))
        #expect(
            try database.value(
                """
                select string_agg(concat_ws(' ', finding, place, trade_id, field, theirs, ours, letter_no), ',' order by number)
                  from reconciliation_errors
                """)
                == "different 3 2 buyer_id eve alice,different 3 2 price 99 102.5,repeated 5 4 line 5 4,parked 6 5 1,"
                + "pending 7 6,missing_here 8 77,missing_there 3")
        #expect(
            try database.value(
                "select concat_ws(' ', compared, source, trades, refused, differences) from reconciliation_jobs")
                == "file trades.csv 8 0 7")

        // and for programs
        let written = try json(try await reconcile(text, "--json"))
        #expect(written["finding_count"] as? Int == 7 && written["different"] as? Int == 2)
        #expect(written["clean"] as? Bool == false && written["file"] as? String == "trades.csv")
        let parked = (written["findings"] as? [[String: Any]])?.first { $0["finding"] as? String == "parked" }
        #expect(parked?["letter"] as? Int == 1 && parked?["letter_class"] as? String == "insufficient_funds")
        let streamed = try await reconcile(text, "-o jsonl").lines
        #expect(streamed.count == 8 && streamed.last?.contains("\"missing_there\":1") == true)
        #expect(try database.violations() == [])
    }

    @Test func `the file should have what was settled in its time`() async throws {
        func missing(_ text: String, _ flags: String = "", _ location: SourceLocation = #_sourceLocation) async throws
            -> [String]
        {
            let result = try await reconcile(text, flags + " --json")
            let written = try json(result)
            let findings = written["findings"] as? [[String: Any]] ?? []
            #expect(result.exitCode == (findings.isEmpty ? 0 : 3), sourceLocation: location)
            return findings.map { "\($0["finding"]!) \($0["trade_id"]!)" }
        }
        // given: trade 8 is settled later than all others
        _ = try await database.typing(
            "trade submit",
            input: tradeLine("8", price: "1").replacing("}", with: ",\"executed_at\":\"2026-01-02T03:04:05Z\"}"))
        try await database.expecting("worker --once --log-level error")
        let times = try database.value(
            "select to_char(committed_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') from batches order by batch_no desc limit 1"
        )

        // then
        let export = try await database.expecting("export trades --until \(times)")
        #expect(try await missing(export) == [])
        #expect(try await missing(export, "--since 1d") == ["missing_there 8"])
        #expect(try await missing(export, "--until \(times)") == [])
        #expect(try await missing(Self.all) == ["missing_there 8"])
        #expect(try await missing(Self.all, "--until 2026-01-02") == [])
        #expect(try await missing(Self.header, "--market ETH/USDT") == [])
        #expect(try await missing(Self.header, "--market BTC/USDT").count == 5)
        #expect(try await missing(Self.header) == [])
        let made = "market,trade_id,executed_at\nBTC/USDT,8,2026-01-02T03:04:05Z\n"
        #expect(try await missing(made) == [])
        #expect(try await missing(made, "--since 2026-01-01").count == 4)
        #expect(try await missing(made, "--since 2026-01-01 --until 2026-01-03") == [])
        #expect(try database.violations() == [])
    }

    @Test func `lines that cannot be read are named, and the others compared`() async throws {
        let result = try await reconcile(Self.all + "BTC/USDT,x\n\"BTC/USDT,y\n")
        #expect(result.exitCode == 1)
        #expect(result.output == "4 trades of trades.csv: the books agree; 2 lines cannot be read.\n")
        #expect(
            result.errors == """
                line 6: it has 2 fields, the header 6 columns
                line 7: a quote is opened and not closed
                settle: 2 lines of trades.csv cannot be read

                """)
        let worse = try await reconcile("{\"id\":1}\n" + tradeLine("77"), "--json", name: "x.ndjson")
        #expect(worse.exitCode == 3)
        let written = try json(worse)
        #expect(written["malformed"] as? Int == 1 && written["missing_here"] as? Int == 1)
        #expect((written["malformed_lines"] as? [[String: Any]])?.first?["line"] as? Int == 1)
        #expect(try database.violations() == [])
    }

    @Test func `what cannot be compared says why`() async throws {
        func refused(_ text: String, _ flags: String = "", _ code: Int32, name: String = "x.csv") async throws -> String
        {
            let result = try await reconcile(text, flags, name: name)
            #expect(result.exitCode == code && result.output == "", "\(result)")
            return result.errors
        }
        #expect(
            try await refused("", "", 1)
                == "settle: x.csv is empty; a CSV file begins with the names of its columns\n")
        #expect(try await refused("1,2,3\n", "", 1).contains("names no column trade_id or id. A CSV file begins"))
        #expect(
            try await refused("id,price\n1,2\n", "", 1).contains("names no column market or symbol; '--market' says"))
        #expect(try await refused("id,trade_id,market\n", "", 1).contains("has several columns for trade_id"))
        #expect(try await refused(Self.all, "--market BTC/EUR", 5).contains("there is no market BTC/EUR"))
        #expect(
            try await refused(Self.all, "--trades", 64).contains("'--trades' is for an engine, '--against' for a file"))
        #expect(try await refused(Self.all, "--fix", 64).contains("'--fix' wants '--reason TEXT', for the record"))
        #expect(try await refused(Self.all, "--dry-run", 64).contains("'--dry-run' goes with '--fix'"))
        #expect(try await refused(Self.all, "--since now --until 1h", 64).contains("'--until' is before '--since'"))
        let absent = try await database.typing("reconcile --against absent.csv")
        #expect(absent.exitCode == 64 && absent.errors == "settle: cannot read absent.csv: no such file\n")
        #expect(try await database.typing("reconcile --market BTC/USDT").errors.contains("goes with '--against'"))
        #expect(try await database.typing("reconcile --fix --reason x").exitCode == 64)
        #expect(try database.value("select count(*) from reconciliation_jobs") == "0")
        #expect(try database.violations() == [])
    }

    /// A file that says of each trade that it has no fees.
    private static func withFees(_ text: String) -> String {
        let lines = text.split(separator: "\n")
        return lines[0] + ",buyer_fee,seller_fee\n" + lines.dropFirst().map { $0 + ",0,0\n" }.joined()
    }

    @Test func `what is missing here is stored and settled, and nothing else is touched`() async throws {
        // given: 77 is missing, 2 differs, 5 is parked, 78 stands twice in two ways, 79 does not say enough
        let text = Self.withFees(
            Self.all.replacing("102.5", with: "99") + "BTC/USDT,5,90000,1,alice,bob\n" + Self.row(77, price: "1")
                + Self.row(78, price: "1") + Self.row(78, price: "2")
                + "BTC/USDT,79,,1,alice,bob\nBTC/EUR,80,1,1,alice,bob\n")

        // when it is only asked
        let before = try database.contents()
        let foreseen = try await reconcile(text, "--fix --dry-run")
        #expect(foreseen.exitCode == 3)
        #expect(foreseen.output.hasSuffix("1 trade would be stored as PENDING.\n"), "\(foreseen.output)")
        #expect(
            foreseen.errors.contains(
                "trade BTC/USDT:79 cannot be stored: invalid: price, quantity, buyer_id, seller_id, buyer_fee and "
                    + "seller_fee are not all said\n"))
        #expect(
            foreseen.errors.contains("trade BTC/EUR:80 cannot be stored: unknown_market: there is no market BTC/EUR\n"))
        let unasked = try await reconcile(text, "--fix --reason outage")
        #expect(unasked.exitCode == 64 && unasked.errors.contains("give --yes to go on"))
        #expect(try database.contents() == before)
        #expect(try database.value("select count(*) from reconciliation_jobs where source is null") == "0")

        // when it is done
        let fixed = try await reconcile(text, "--fix --yes --reason outage")

        // then
        #expect(fixed.exitCode == 3)
        #expect(
            fixed.output.hasSuffix(
                "1 trade stored as PENDING; workers settle what waits, and 'settle trade list' shows it.\n"))
        #expect(
            try database.value(
                "select string_agg(trade_id, ' ') from trades where market = 'BTC/USDT' and status = 'PENDING'") == "77"
        )
        #expect(
            try database.value(
                """
                select concat_ws(' ', action, split_part(subject, ' ', 1), reason, detail->>'from', detail->>'trades',
                                 detail->>'first') from operator_actions where action = 'restore'
                """) == "restore reconciliation outage trades.csv 1 BTC/USDT:77")
        try await database.expecting("worker --once --log-level error")
        #expect(try database.value("select status from trades where trade_id = '77'") == "SETTLED")
        let again = try json(try await reconcile(text, "--fix --yes --reason outage --json"))
        #expect(again["restored"] as? Int == 0 && again["missing_here"] as? Int == 3)
        #expect(try database.violations() == [])
    }

    @Test func `a file that lacks nothing but what was lost is clean when that is back`() async throws {
        let lost = Self.withFees(Self.all + Self.row(77, price: "1"))
        let unsaid = try await reconcile(Self.all + Self.row(77, price: "1"), "--fix --yes --reason lost")
        #expect(unsaid.exitCode == 3 && unsaid.errors.contains("seller_fee are not all said"))
        let fixed = try await reconcile(lost, "--fix --yes --reason lost")
        #expect(fixed.exitCode == 0, "\(fixed)")
        try await database.expecting("worker --once --log-level error")
        #expect(try await reconcile(lost).exitCode == 0)
        #expect(try database.violations() == [])
    }

    @Test func `a trade that is known by its letter alone is not stored again`() async throws {
        // given: a market that is not there, whose trade was given up
        _ = try await database.typing("trade submit", input: tradeLine("50", market: "LTC/USDT"))
        let letter = try database.value("select letter_no from dead_letters where market = 'LTC/USDT'")
        try await database.expecting("dlq discard \(letter) --reason gone --yes")
        try database.addMarket("LTC/USDT")
        // when
        let result = try await reconcile(
            tradeLine("50", market: "LTC/USDT"), "--fix --yes --reason r", name: "x.ndjson")
        // then
        #expect(result.exitCode == 3)
        #expect(result.output.contains("parked"), "\(result.output)")
        #expect(result.output.contains("settle dlq show \(letter), which was given up"))
        #expect(
            result.output.hasSuffix(
                "0 trades stored as PENDING; workers settle what waits, and 'settle trade list' shows it.\n"))
        #expect(try database.value("select count(*) from trades where trade_id = '50'") == "0")
        #expect(try database.violations() == [])
    }

    @Test func `what was settled is never stored again, whatever became of its row`() async throws {
        // given: the row of 1 is gone, and the file names others for it; 2 and 3 count as failed, 4 as waiting
        func batch(_ id: Int) throws -> String {
            try database.value("select batch_no from trades where market = 'BTC/USDT' and trade_id = '\(id)'")
        }
        let batches = try (1...4).map(batch)
        try await database.expecting("deposit carol 1000 USDT --id d-carol")
        try database.damage(
            """
            delete from trades where trade_id = '1';
            update trades set status = 'FAILED' where trade_id = '2';
            update trades set status = 'FAILED', settled_at = null, batch_no = null where trade_id = '3';
            update trades set status = 'PENDING' where trade_id = '4'
            """)
        let before = try database.contents()
        let text = Self.withFees(Self.all.replacing("101.5,0.1,alice,bob", with: "101.5,0.1,carol,bob"))

        // when
        let result = try await reconcile(text, "--fix --yes --reason outage")

        // then
        #expect(result.exitCode == 3)
        #expect(
            result.output.replacing(#/\ +/#, with: " ") == """
                LINE TRADE FINDING FIELD THEIRS HERE SEE
                 2 BTC/USDT:1 damaged row - gone, settled in batch \(batches[0]) settle verify
                 3 BTC/USDT:2 damaged row - FAILED, settled in batch \(batches[1]) settle verify
                 4 BTC/USDT:3 damaged row - FAILED, without a letter settle verify
                 5 BTC/USDT:4 damaged row - PENDING, settled in batch \(batches[3]) settle verify
                4 trades of trades.csv: 4 damaged.
                0 trades stored as PENDING; workers settle what waits, and 'settle trade list' shows it.

                """, "\(result.output)")
        try database.execute("delete from reconciliation_errors; delete from reconciliation_jobs")
        #expect(try database.contents() == before)
        #expect(try database.value("select count(*) from trades where trade_id = '1'") == "0")
        #expect(try database.violations() != [])
    }

    @Test func `what was taken back is not stored again, though its entries are gone too`() async throws {
        try await database.expecting("trade reverse BTC/USDT:1 --reason slip")
        let batch = try database.value("select batch_no from reversals")
        try database.damage("delete from trades where trade_id = '1'; delete from ledger_entries where cause_id = '1'")
        let result = try await reconcile(Self.withFees(Self.all), "--fix --yes --reason outage")
        #expect(result.exitCode == 3)
        #expect(result.output.contains("gone, taken back in batch \(batch) "), "\(result.output)")
        #expect(try database.value("select count(*) from trades where trade_id = '1'") == "0")
    }

    @Test(arguments: [false, true])
    func `a letter whose trade has entries is not retried`(isIndexed: Bool) async throws {
        // given: money for what was parked, settled by its letter; then both rows as they were before
        try await database.expecting("deposit alice 90000 USDT --id more")
        try await database.expecting("dlq retry --all --yes")
        #expect(try database.value("select status from trades where trade_id = '5'") == "SETTLED")
        let batch = try database.value("select batch_no from trades where trade_id = '5'")
        try await database.expecting("deposit alice 90000 USDT --id again")
        try await database.expecting("deposit bob 10 BTC --id again-too")
        if isIndexed {
            let connection = try database.connect()
            try database.execute("select seal_ledger_range(0)")
            while try ReadingIndexStore.advance(on: connection) != nil {}
            #expect(try database.value("select bool_or(is_indexed) from ledger_segments()") == "true")
        }
        try database.damage(
            """
            update trades set status = 'FAILED', settled_at = null, batch_no = null where trade_id = '5';
            update dead_letters set status = 'open'
            """)
        let money = "select string_agg(concat_ws(' ', account_no, asset_no, available), ',' order by 1) from balances"
        let before = try database.value(money)
        // when
        let foreseen = try await database.typing("dlq retry --all --dry-run")
        let retried = try await database.typing("dlq retry --all --yes")
        // then
        #expect(foreseen.output.contains("it was settled in batch \(batch), whose entries stand"), "\(foreseen)")
        #expect(retried.exitCode == 1)
        #expect(retried.output == "1 retried: 0 settled, 1 parked again, 0 still waiting\n", "\(retried)")
        let shown = try await database.expecting("dlq show 1")
        #expect(shown.contains("it was settled in batch \(batch), whose entries stand"), "\(shown)")
        #expect(try database.value(money) == before)
        // And, with the row gone too, neither when the letter is one without a row.
        try database.damage("delete from trades where trade_id = '5'; update dead_letters set stored = false")
        #expect(try await database.typing("dlq retry --all --yes").output == retried.output)
        #expect(try database.value("select count(*) from trades where trade_id = '5'") == "0")
        #expect(try database.value(money) == before)
    }

    @Test func `a row that says when it was settled is not retried, by an operator or by itself`() async throws {
        try database.damage(
            "update trades set settled_at = now() where trade_id = '5'; update dead_letters set auto_due_at = now()")
        let connection = try database.connect()
        #expect(try connection.query(DeadLetterStore.retry([1], actor: "test", reason: "r")).count == 0)
        let due = DeadLetterStore.retryDue(
            [.insufficientFunds], attemptsMax: 3, countMax: 10, backoffSeconds: 1, backoffSecondsMax: 1)
        #expect(try connection.query(due).count == 0)
        try database.damage("update trades set settled_at = null where trade_id = '5'")
        #expect(try connection.query(due).count == 1)
    }

    @Test func `many lines are compared, and one more is found`() async throws {
        // given
        let ids = 10_000..<15_000
        let lines = ids.map { tradeLine("\($0)", price: "1", quantity: "0.0001") }.joined()
        _ = try await database.typing("trade submit", input: lines)
        try await database.expecting("worker --once --log-level error")
        let first = (1...4).map { tradeLine("\($0)", price: "10\($0).5", quantity: "0.1") }.joined()
        let file = first + lines
        // when
        let clean = try await reconcile(file, name: "x.jsonl")
        let more = try await reconcile(file + tradeLine("99999"), "--json", name: "x.jsonl")
        let less = try await reconcile(
            file.split(separator: "\n").filter { !$0.contains("\"12345\"") }.joined(separator: "\n"), name: "x.jsonl")
        // then
        #expect(clean.exitCode == 0 && clean.output == "The books agree: 5,004 trades of x.jsonl.\n", "\(clean)")
        #expect(try json(more)["finding_count"] as? Int == 1 && json(more)["missing_here"] as? Int == 1)
        #expect(less.output.contains("BTC/USDT:12345  missing there"), "\(less.output)")
        #expect(less.exitCode == 3)
        #expect(try database.violations() == [])
    }
}
