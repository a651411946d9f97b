import SettleTesting
import Testing

/// `settle statement` and `settle balance --as-of`.
@Suite struct StatementCommandTests {
    private let database: TestDatabase

    /// alice: 1000 USDT, then 1 BTC bought of bob for 100, then 50 USDT held and the half of it released.
    init() async throws {
        database = try TestDatabase()
        try await database.fund()
        _ = try await database.typing("trade submit", input: tradeLine("9001"))
        try await database.expecting("worker --once --log-level error")
    }

    private func time(ofBatch place: Int) throws -> String {
        try database.value(
            """
            select to_char(committed_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') from batches
             order by committed_at offset \(place) limit 1
            """)
    }

    @Test func `a statement runs from the opening to the closing balance and says what each entry was`() async throws {
        #expect(
            try await database.expecting("statement alice").withoutTimes == """
                alice in BTC
                TIME                  ENTRY                                                        CHANGE   AVAILABLE
                                      opening balance                                                      0.00000000
                TIME  trade BTC/USDT:9001, bought 1 BTC from bob at 100 USDT  +1.00000000  1.00000000
                                      closing balance                                                      1.00000000

                alice in USDT
                TIME                  ENTRY                                                         CHANGE    AVAILABLE
                                      opening balance                                                          0.000000
                TIME  deposit fund-alice                                      +1000.000000  1000.000000
                TIME  trade BTC/USDT:9001, bought 1 BTC from bob at 100 USDT   -100.000000   900.000000
                                      closing balance                                                        900.000000

                """)
        let batch = try database.value("select max(batch_no) from batches")
        #expect(
            try await database.expecting("statement bob BTC -o jsonl --last 1").withoutTimes == """
                {"account":"bob","asset":"BTC","version":2,"at":"TIME","kind":"trade","market":"BTC/USDT",\
                "trade_id":"9001","key":null,"order_id":null,"counterparty":"alice","price":"100","quantity":"1",\
                "fee":null,"fee_asset":null,"available_change":"-1.00000000","frozen_change":"0.00000000","available":"9.00000000",\
                "frozen":"0.00000000","batch":\(batch)}

                """)
        #expect(try await database.expecting("statement world/0 USDT").contains("deposit fund-alice"))
        #expect(try database.violations() == [])
    }

    @Test(arguments: ["received", "quote"])
    func `an entry names the fee that was taken off it, and a rebate`(rule: String) async throws {
        try await database.expecting("asset add GEM --decimals 4")
        try await database.expecting("market add GEM/USDT --fees \(rule)")
        try await database.expecting("deposit bob 9 GEM --id gems")
        let trade =
            #""market":"GEM/USDT","price":"10","quantity":"1","buyer_id":"alice","seller_id":"bob","buyer_fee":"0.1","#
        let lines =
            #"{"id":"g1",\#(trade)"seller_fee":"0.25"}"# + "\n"
            + #"{"id":"g2",\#(trade.replacing("0.1", with: "-0.1"))"seller_fee":"-0.25"}"#
        if rule == "quote" { try await database.expecting("deposit house-money 1 USDT --id h") }
        _ = try await database.typing("trade submit", input: lines)
        try await database.expecting("worker --once --log-level error")
        let sold = try await database.expecting("statement bob USDT")
        #expect(sold.contains("trade GEM/USDT:g1, sold 1 GEM to alice at 10 USDT, fee 0.250000 USDT "), "\(sold)")
        #expect(sold.contains("trade GEM/USDT:g2, sold 1 GEM to alice at 10 USDT, rebate 0.250000 USDT "), "\(sold)")
        #expect(
            try await database.expecting("statement bob USDT -o jsonl").contains(
                #""fee":"0.250000","fee_asset":"USDT","available_change":"9.750000""#))
        let (asset, fee) = rule == "received" ? ("GEM", "0.1000 GEM") : ("USDT", "0.100000 USDT")
        let bought = try await database.expecting("statement alice \(asset)")
        #expect(bought.contains("trade GEM/USDT:g1, bought 1 GEM from bob at 10 USDT, fee \(fee) "), "\(bought)")
        #expect(
            bought.contains(
                rule == "received"
                    ? "g2, bought 1 GEM from bob at 10 USDT, rebate \(fee) " : "rebate of trade GEM/USDT:g2 "),
            "\(bought)")
        let other = try await database.expecting("statement alice \(rule == "received" ? "USDT" : "GEM")")
        #expect(!other.contains("fee") && !other.contains("rebate"), "\(other)")
        #expect(try database.violations() == [])
    }

    @Test func `pages follow each other over all assets, and no entry is on two of them`() async throws {
        for number in 1...4 { try await database.expecting("deposit alice \(number) USDT --id more-\(number)") }
        let whole = try await database.expecting("statement alice -o jsonl")
        var pages = ""
        var cursor: String? = "BTC:0"
        var cursors: [String] = []
        while let after = cursor {
            let page = try await database.typing("statement alice --limit 2 --after \(after) -o jsonl")
            #expect(page.exitCode == 0)
            pages += page.output
            cursor = page.errors.firstMatch(of: /more: --after (\S+)\n/).map { String($0.1) }
            cursors += cursor.map { [$0] } ?? []
        }
        #expect(pages == whole)
        #expect(cursors == ["USDT:1", "USDT:3", "USDT:5"])
        let middle = try await database.expecting("statement alice USDT --limit 2 --after USDT:2")
        #expect(middle.contains("brought forward"))
        #expect(middle.contains("carried forward"))
        // The first page ends where the first asset does.
        let first = try await database.typing("statement alice --limit 1")
        #expect(first.errors == "more: --after BTC:1\n")
        #expect(try await database.expecting("statement alice --last 2 -o jsonl").split(separator: "\n").count == 3)
        #expect(try await database.expecting("statement alice USDT --last 2").contains("brought forward"))
        #expect(try database.violations() == [])
    }

    @Test func `a period begins with what was there and ends with what was left`() async throws {
        let (deposited, settled) = (try time(ofBatch: 0), try time(ofBatch: 2))
        let before = try await database.expecting("statement alice USDT --until \(settled)")
        #expect(before.contains("deposit fund-alice"))
        #expect(!before.contains("9001"))
        #expect(
            before.split(separator: "\n").last?.hasSuffix(" 1000.000000") == true,
            "\(before)")
        let after = try await database.expecting("statement alice USDT --since \(settled)")
        #expect(after.contains("opening balance") && after.contains("1000.000000"))
        #expect(!after.contains("deposit"))
        let none = try await database.typing("statement alice --until \(deposited)")
        #expect(none.output == "")
        #expect(none.errors == "Account alice has no entries until \(deposited).\n")
        let quiet = try await database.expecting("statement alice USDT --since 2100-01-01")
        #expect(quiet.split(separator: "\n").count == 4)
        #expect(try await database.expecting("statement alice --since 2100-01-01 --json") == "[]\n")
        #expect(try database.violations() == [])
    }

    @Test func `a balance is shown as it was at any time`() async throws {
        let (deposited, settled) = (try time(ofBatch: 0), try time(ofBatch: 2))
        #expect(
            try await database.expecting("balance alice --as-of \(deposited)")
                == "ASSET    AVAILABLE    FROZEN\nUSDT   1000.000000  0.000000\n")
        #expect(
            try await database.expecting("balance alice USDT --as-of \(settled) -o jsonl")
                == #"{"account":"alice","asset":"USDT","available":"900.000000","frozen":"0.000000","as_of":"\#(settled)"}"#
                + "\n")
        #expect(
            try await database.expecting("balance world USDT --as-of \(settled) -o jsonl").contains(
                #""available":"-1000.000000""#))
        #expect(try await database.expecting("balance alice --as-of 2100-01-01") == database.expecting("balance alice"))
        let early = try await database.typing("balance alice --as-of 2026-01-01")
        #expect(early.exitCode == 0)
        #expect(early.output == "")
        #expect(
            early.errors.withoutTimes == "Account alice did not exist at TIME; it was opened at TIME.\n")
        #expect(try await database.expecting("balance alice --as-of 2026-01-01 --json") == "[]\n")
        #expect(try database.violations() == [])
    }

    @Test func `a balance of times to come is that of now, and says so`() async throws {
        let future = try await database.typing("balance alice --as-of 2999-01-01")
        #expect(future.exitCode == 0)
        #expect(
            future.errors.withoutTimes == "TIME has not come yet; this is what was committed until now\n",
            "\(future.errors)")
        #expect(try await database.expecting("balance alice") == future.output)
    }

    @Test(arguments: [
        ("statement nobody", 5, "there is no account nobody"), ("statement alice EUR", 5, "there is no asset EUR"),
        ("balance nobody --as-of 1h", 5, "there is no account nobody"),
        ("balance alice EUR --as-of 1h", 5, "there is no asset EUR"),
        ("balance alice --as-of soon", 64, "a time is like"), ("statement alice --limit 0", 64, "from 1 to 100000"),
        ("statement alice --last 0", 64, "from 1 to 100000"),
        ("statement alice --last 3 --limit 3", 64, "'--last' goes without '--limit'"),
        ("statement alice --last 3 --after USDT:1", 64, "'--last' goes without '--after'"),
        ("statement alice --after 17", 64, "such as USDT:50"),
        ("statement alice USDT --after BTC:1", 64, "is not in USDT"),
        ("statement alice --since 2026-02-01 --until 2026-01-01", 64, "'--until' is before '--since'"),
        ("statement", 64, "missing argument ACCOUNT"),
    ])
    func `what cannot be shown is told in one line`(line: String, exit: Int, message: String) async throws {
        let result = try await database.typing(line)
        #expect(Int(result.exitCode) == exit)
        #expect(result.output == "")
        #expect(result.errors.contains(message), "\(result.errors)")
        #expect(result.errors.split(separator: "\n").count == 1)
    }

    @Test func `the house is named account by account`() async throws {
        try database.execute("insert into accounts (id, kind) values ('1', 'house')")
        let several = try await database.typing("statement house")
        #expect(several.exitCode == 64)
        #expect(several.errors.contains("house is 2 accounts: house/0, house/1. Name one of them."))
        #expect(try await database.typing("statement house/0").errors == "Account house/0 has no entries.\n")
        #expect(try database.violations() == [])
    }
}
