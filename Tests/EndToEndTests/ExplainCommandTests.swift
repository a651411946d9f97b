import Foundation
import SettleTesting
import Testing
import TradeModel

/// `settle explain`.
@Suite struct ExplainCommandTests {
    let database: TestDatabase

    init() async throws {
        database = try TestDatabase()
        try await database.fund()
    }

    /// Numbers that differ from run to run.
    private func normal(_ text: String) -> String {
        text.withoutTimes.replacing(/transaction \d+/, with: "transaction T").replacing(
            /after (\d+(ms|s|m))+|after less than 1ms/, with: "after LONG"
        )
        .replacing(/worker \d+( \([^)]*\))?/, with: "worker W").replacing(/in batch \d+/, with: "in batch B")
    }

    @Test func `a settled trade is told from its arrival to the balances after it`() async throws {
        let line =
            #"{"id":"9001","market":"BTC/USDT","price":"100.5","quantity":"2","buyer_id":"alice","seller_id":"bob","#
            + #""buyer_fee":"0.01","seller_fee":"0.5","executed_at":"2026-01-02T03:04:05Z","buy_order_id":"71"}"#
        _ = try await database.typing("trade submit", input: line + "\n" + tradeLine("9002"))
        try await database.expecting("worker --once --log-level error")
        #expect(
            normal(try await database.expecting("explain 9001")) == """
                BTC/USDT:9001 is settled.

                alice bought 2 BTC from bob at 100.5 USDT.
                100.5 × 2 = 201.000000 USDT.
                Fees: the buyer 0.01000000 BTC, the seller 0.500000 USDT; each side pays from what it receives.
                The buyer's order is 71.

                traded    TIME, as its sender says
                received  TIME, as number 1
                          as a row that waited for a worker
                settled   TIME, after LONG
                          by worker W, in batch B together with 1 other trade
                          which is transaction T of the database

                ACCOUNT    WHAT      ASSET       BEFORE       CHANGE       AFTER
                alice      pays      USDT   1000.000000  -201.000000  799.000000
                bob        pays      BTC    10.00000000  -2.00000000  8.00000000
                alice      receives  BTC     0.00000000  +1.99000000  1.99000000
                bob        receives  USDT      0.000000  +200.500000  200.500000
                the house  fee       BTC     0.00000000  +0.01000000  0.01000000
                the house  fee       USDT      0.000000    +0.500000    0.500000

                """)
        let json = try await database.expecting("explain BTC/USDT:9001 -o jsonl")
        for part in [
            #"{"id":"9001","market":"BTC/USDT","status":"SETTLED","trade":{"id":"9001""#, #""quote":"201.000000""#,
            #""fee_rule":"received""#, #""trades":2,"seal":null}"#,
            #"{"account":"alice","account_kind":"customer","asset":"USDT","kind":"trade","version":2,"#
                + #""available_before":"1000.000000","available_change":"-201.000000","available_after":"799.000000","#
                + #""frozen_before":"0.000000","frozen_change":"0.000000","frozen_after":"0.000000"}"#,
            #""reversal":null,"reversal_refusals":[],"waiting":null,"needs":[],"#
                + #""would_fund":{"count":0,"has_more":false,"letters":[]},"dead_letters":[],"advice":[]}"#,
            #""commit":{"worker":"#, #""pid":"#, #""exact_quote":null,"rounded_away":null,"#,
            #""received":{"way":"row","source":null,"stream":null,"record":null},"stages":[{"stage":"traded","at":"#,
        ] { #expect(json.contains(part), "\(json)") }

        #expect(try await database.typing("audit seal").exitCode == 0)
        #expect(try await database.expecting("explain 9001").contains("\n          under seal 1:"))
        #expect(try await database.expecting("explain 9001 -o jsonl").contains(#""seal":{"number":1,"chain":""#))
        #expect(try database.violations() == [])
    }

    @Test func `a trade that waits is told why`() async throws {
        _ = try await database.typing(
            "trade submit", input: tradeLine("1") + tradeLine("2", quantity: "20") + tradeLine("3", buyer: "zoe"))
        try database.execute(
            "update trades set claimed_by = 77, not_before = '2100-01-01' where trade_id = '2'")
        try await database.expecting("queue pause --reason maintenance")
        try await database.expecting("market halt BTC/USDT --reason prices")
        let user = try database.value("select actor from queue_control")
        #expect(
            normal(try await database.expecting("explain 2")) == """
                BTC/USDT:2 waits to be settled.

                alice is to buy 20 BTC from bob at 100 USDT.
                100 × 20 = 2000.000000 USDT.
                No fees.

                received  TIME, as number 2
                          as a row that waited for a worker

                1 trade waits before it.
                The queue is paused since TIME by \(user): maintenance.
                Market BTC/USDT is halted since TIME by \(user): prices.
                Worker 77, which had taken it up, is silent; any other may take it now.
                It was put back until TIME, since an older trade may bring what it lacks.
                An older trade of its accounts waits too: BTC/USDT:1.
                No worker is running.

                Now: buyer alice needs 2000.000000 USDT, has 1000.000000 USDT available: 1000.000000 USDT missing.
                Now: seller bob needs 20.00000000 BTC, has 10.00000000 BTC available: 10.00000000 BTC missing.

                Next: settle queue resume
                Then: settle market resume BTC/USDT --reason '…'
                Then: settle worker

                """)
        let json = try await database.expecting("explain 2 -o jsonl").withoutTimes
        #expect(
            json.contains(
                #""waiting":{"ahead":1,"ahead_has_more":false,"older_trade":"BTC/USDT:1","claimed_by":77,"claim_is_alive":false,"#
                    + #""not_before":"TIME","workers_alive":0,"queue_paused":{"since":"TIME","actor":"\#(user)","reason":"maintenance"},"#
                    + #""market_halted":{"since":"TIME","actor":"\#(user)","reason":"prices"}}"#), "\(json)")
        #expect(
            json.hasSuffix(
                #""advice":["Next: settle queue resume","Then: settle market resume BTC/USDT --reason '…'","#
                    + #""Then: settle worker"]}"# + "\n"), "\(json)")
        // A market that was halted by hand has no record of it.
        try await database.expecting("market resume BTC/USDT --reason mended")
        try database.execute("update markets set halted = true")
        #expect(try await database.expecting("explain 2").contains("\nMarket BTC/USDT is halted.\n"))
        #expect(try await database.expecting("explain 1").contains("It is the first in line."))
        #expect(try await database.expecting("explain 3").contains("there is no account zoe (the buyer)"))
        #expect(try database.violations() == [])
    }

    @Test func `a trade that failed is told what is missing and what to do`() async throws {
        _ = try await database.typing("trade submit", input: tradeLine("5", quantity: "11"))
        try await database.expecting("worker --once --log-level error")
        let told = normal(try await database.expecting("explain 5"))
        #expect(told.hasPrefix("BTC/USDT:5 failed and is parked.\n"))
        #expect(
            told.contains(
                "failed    TIME, after LONG\n          by worker W, in batch B\n          which is transaction T"))
        #expect(
            told.contains(
                "It failed for insufficient_funds: buyer alice has 1000.000000 USDT available, needs 1100.000000 USDT"))
        #expect(
            told.contains(
                "Now: buyer alice needs 1100.000000 USDT, has 1000.000000 USDT available: 100.000000 USDT missing."))
        #expect(
            told.contains("Dead letter 1, open, received from trades:\n  TIME  parked by worker W: buyer alice has"))
        #expect(told.contains("Next: settle deposit alice 100.000000 USDT --id KEY\n"))
        let steps = "Then: settle deposit bob 1.00000000 BTC --id KEY\nThen: settle dlq retry 1\n"
        #expect(told.hasSuffix(steps + "Or: settle dlq discard 1 --reason '…'\n"))
        // One parking has one time, whoever tells of it.
        let parkedAt = try database.value(
            "select to_char(parked_at at time zone 'utc', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') from dead_letters")
        let raw = try await database.expecting("explain 5")
        #expect(raw.contains("failed    \(parkedAt), ") && raw.contains("\n  \(parkedAt)  parked by"), "\(raw)")
        #expect(try await database.expecting("dlq show 1").contains("\n  \(parkedAt)  parked as"))

        try await database.expecting("deposit alice 100.000000 USDT --id a")
        try await database.expecting("deposit bob 1.00000000 BTC --id b")
        #expect(try await database.expecting("explain 5").contains("\nNext: settle dlq retry 1\n"))
        try await database.expecting("dlq retry 1")
        try await database.expecting("worker --once --log-level error")
        let settled = normal(try await database.expecting("explain 5"))
        #expect(settled.contains("received  TIME, number 2 since its retry\n"), "\(settled)")
        #expect(
            settled.contains("\nsteps     parked after LONG, retried after LONG, settled after LONG\n"), "\(settled)")
        #expect(settled.contains("tried     2 times"))
        #expect(settled.contains("Dead letter 1, retried, received from trades:"))
        #expect(!settled.contains("Next:"))
        #expect(try database.violations() == [])
    }

    @Test func `a trade that waits did not fail for what another of its id was parked for`() async throws {
        _ = try await database.typing("trade submit", input: tradeLine("5") + tradeLine("5", price: "7"))
        let waits = try await database.expecting("explain 5")
        #expect(waits.hasPrefix("BTC/USDT:5 waits to be settled.\n"))
        #expect(waits.contains("\nDead letter 1, open, received from submit -:\n"))
        #expect(!waits.contains("It failed"))
        try await database.expecting("withdraw alice 1000 USDT --id w1")
        try await database.expecting("worker --once --log-level error")
        let failed = try await database.expecting("explain 5")
        #expect(failed.contains("\nIt failed for insufficient_funds: "), "\(failed)")
        #expect(try database.violations() == [])
    }

    @Test func `a letter without a stored trade is told too, and money of holds is shown`() async throws {
        _ = try await database.typing("trade submit", input: tradeLine("7", market: "ETH/USDT"))
        try await database.expecting("worker --once --log-level error")
        if try database.value("select count(*) from dead_letters where trade_id = '7'") == "1" {
            let told = try await database.expecting("explain 7")
            #expect(told.hasPrefix("ETH/USDT:7 was not stored: it could not be settled as it is.\n"), "\(told)")
            #expect(told.contains("\nalice was to buy 1 ETH from bob at 100 USDT.\n"), "\(told)")
            #expect(told.contains("unknown_market"))
            #expect(
                try await database.expecting("explain ETH/USDT:7 -o jsonl").contains(#""status":null,"trade":null"#))
        }
        try await database.expecting("market add USDT/BTC")
        _ = try await database.typing(
            "trade submit",
            input: tradeLine("8") + tradeLine("8", price: "0.01", buyer: "bob", seller: "alice", market: "USDT/BTC"))
        let both = try await database.typing("explain 8")
        #expect(both.exitCode == 64)
        #expect(both.errors.contains("BTC/USDT:8, USDT/BTC:8"))
        for name in ["nothing", "BTC/USDT:7", "EUR/USD:7", "'"] {
            let missing = try await database.typing("explain \(name)")
            #expect(missing.exitCode == 5)
            #expect(missing.errors == "settle: there is no trade \(name); 'settle trade list' shows those there are\n")
        }
        #expect(try await database.typing("explain").exitCode == 64)
        try await database.expecting("worker --once --log-level error")
        #expect(try database.violations() == [])
    }
}

extension ExplainCommandTests {
    @Test func `money that was held for an order is shown apart`() async throws {
        let order = OrderKey(stream: nil, order: Identifier("71")!)
        let (alice, bob) = (Identifier("alice")!, Identifier("bob")!)
        let hold = Operation(
            key: Identifier("hold-1")!, kind: .reserve, account: alice, asset: AssetSymbol("USDT")!,
            amount: DecimalNumber("80")!, order: order)
        let trade = Trade(
            id: Identifier("9")!, market: MarketSymbol("BTC/USDT")!, price: DecimalNumber("100")!,
            quantity: DecimalNumber("1")!, buyer: alice, seller: bob, buyOrder: order.order)
        let outcomes = try await database.wallet().settle([
            SettlementItem(.operation(hold), origin: .message("test")),
            SettlementItem(.trade(trade), origin: .message("test")),
        ])
        #expect(outcomes == [.settled, .settled])
        let told = try await database.expecting("explain 9")
        #expect(
            told.contains(
                """
                alice    pays                USDT    920.000000   -20.000000  900.000000
                alice    pays from its hold  USDT     80.000000   -80.000000    0.000000
                """), "\(told)")
        #expect(told.contains("by a command, in batch"))
        let statement = try await database.expecting("statement alice USDT")
        #expect(statement.contains("held for order 71: hold-1"))
        #expect(statement.contains("-80.000000   920.000000     +80.000000  80.000000"), "\(statement)")
        #expect(try database.violations() == [])
    }

    @Test func `a trade that was reversed is told with both of its movements, and what was refused before`()
        async throws
    {
        _ = try await database.typing("trade submit", input: tradeLine("7", price: "33.3333", quantity: "0.33333"))
        try await database.expecting("worker --once --log-level error")
        try await database.expecting("withdraw bob 11 USDT --id w1")
        #expect(try await database.typing("trade reverse 7 --reason mistake").exitCode == 1)
        try await database.expecting("deposit bob 11 USDT --id d1")
        try await database.expecting("trade reverse 7 --reason again")
        let user = try database.value("select actor from reversals")
        let batch = try database.value("select batch_no from reversals")
        let told = normal(try await database.expecting("explain 7"))
        #expect(told.hasPrefix("BTC/USDT:7 is settled, and was reversed.\n"), "\(told)")
        #expect(
            told.contains(
                "\n33.3333 × 0.33333 = 11.110988 USDT, rounded down from 11.110988889, which is 0.000000889 more.\n"),
            "\(told)")
        #expect(
            told.replacing(/\n(?=[a-z0-9])/, with: " ").contains(
                "Not reversed at TIME, as \(user) wanted (mistake): account bob has 0.110988 USDT available, needs "
                    + "11.110988 USDT: 11.000000 USDT missing."), "\(told)")
        #expect(told.contains("\nReversed at TIME by \(user), in batch B: again.\n"), "\(told)")
        #expect(
            told.hasSuffix(
                """

                ACCOUNT  WHAT        ASSET      BEFORE       CHANGE        AFTER
                alice    gives back  BTC    0.33333000  -0.33333000   0.00000000
                alice    gets back   USDT   988.889012   +11.110988  1000.000000
                bob      gets back   BTC    9.66667000  +0.33333000  10.00000000
                bob      gives back  USDT    11.110988   -11.110988     0.000000

                """), "\(told)")
        let json = try await database.expecting("explain 7 -o jsonl").withoutTimes
        for part in [
            #""exact_quote":"11.110988889","rounded_away":"0.000000889""#,
            #""reversal":{"batch":\#(batch),"at":"TIME","actor":"\#(user)","reason":"again","postings":[{"account":"alice""#,
            #""reversal_refusals":[{"at":"TIME","actor":"\#(user)","reason":"mistake","because":"account bob has "#,
        ] { #expect(json.contains(part), "\(json)") }
        #expect(try database.violations() == [])
    }

    @Test func `a parked trade is told with the later ones that lack what it would have brought`() async throws {
        // Given: alice cannot pay 5; of what it was to bring, she sells BTC in 6 and bob spends USDT in 7 to 17.
        _ = try await database.typing(
            "trade submit",
            input: tradeLine("4", quantity: "3", buyer: "bob", seller: "alice") + tradeLine("5", quantity: "11")
                + tradeLine("6", buyer: "bob", seller: "alice")
                + (7...17).map { tradeLine("\($0)", buyer: "bob", seller: "alice") }.joined())
        // When
        try await database.expecting("worker --once --log-level error")
        // Then: those that came after it, of which ten are named.
        let told = try await database.expecting("explain 5")
        #expect(
            told.contains(
                "It would have brought alice BTC and bob USDT: 12 later trades are parked and lack what was to come of it."
            ),
            "\(told)")
        #expect(told.contains("\n  dead letter 3, BTC/USDT:6: buyer bob has 0.000000 USDT available"), "\(told)")
        #expect(told.contains("BTC/USDT:15: ") && !told.contains("BTC/USDT:16: ") && told.contains("\n  …\n"))
        #expect(!told.contains("BTC/USDT:4"))
        let json = try await database.expecting("explain 5 -o jsonl")
        #expect(
            json.contains(#""would_fund":{"count":12,"has_more":false,"letters":[3,4,5,6,7,8,9,10,11,12]}"#), "\(json)")
        #expect(json.contains(#""received":{"way":"row","#) && json.contains(#"{"stage":"parked","at":"#))
        // The last of them is followed by none.
        #expect(try await !database.expecting("explain 17").contains("would have brought"))
        #expect(try database.violations() == [])
    }

    @Test func `how a trade came in is told as far as the books know`() async throws {
        let (alice, bob) = (Identifier("alice")!, Identifier("bob")!)
        let wallet = database.wallet()
        func settle(_ id: String, stream: String? = nil, sequence: Int64? = nil) async throws {
            let trade = Trade(
                id: Identifier(id)!, market: MarketSymbol("BTC/USDT")!, price: DecimalNumber("10")!,
                quantity: DecimalNumber("1")!, buyer: alice, seller: bob, stream: stream.flatMap { Identifier($0) },
                sequence: sequence)
            let item = SettlementItem(.trade(trade), origin: .message("test"))
            #expect(try await wallet.settle([item]) == [.settled])
        }
        try await settle("1")
        try await settle("2", stream: "venue-7", sequence: 12)
        try await settle("3", stream: "main", sequence: 99)
        try database.execute("insert into feed_state (stream, watermark) values ('main', 99)")
        for (id, words) in [
            ("1", "in a message, and settled as it was stored"),
            ("2", "in a message, and settled as it was stored; of stream venue-7 as its number 12"),
            ("3", "by the feed of engine main, as its record 99"),
        ] {
            let told = try await database.expecting("explain \(id)")
            #expect(told.contains("\n          \(words)\n"), "\(told)")
        }
        #expect(
            try await database.expecting("explain 3 -o jsonl").contains(
                #""received":{"way":"feed","source":null,"stream":"main","record":99}"#))
        #expect(try database.violations() == [])
    }
}
