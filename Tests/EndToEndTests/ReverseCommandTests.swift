import Repository
import SettleTesting
import Testing
import TradeModel

/// `settle trade reverse`.
@Suite struct ReverseCommandTests {
    private let database: TestDatabase

    init() async throws {
        database = try TestDatabase()
        try await database.fund()
    }

    private func settle(_ lines: String...) async throws {
        _ = try await database.typing("trade submit", input: lines.joined())
        try await database.expecting("worker --once --log-level error")
    }

    private static let withFees =
        #"{"id":"9001","market":"BTC/USDT","price":"100.5","quantity":"2","buyer_id":"alice","seller_id":"bob","#
        + #""buyer_fee":"0.01","seller_fee":"0.5"}"# + "\n"

    @Test func `what a trade moved moves back once, and the trade stays settled`() async throws {
        try await settle(Self.withFees)
        let before = try database.contents()
        let told = """
            ACCOUNT    ASSET       CHANGE
            alice      BTC    -1.99000000
            alice      USDT   +201.000000
            bob        BTC    +2.00000000
            bob        USDT   -200.500000
            the house  BTC    -0.01000000
            the house  USDT     -0.500000

            """
        let dryRun = try await database.typing("trade reverse 9001 --dry-run")
        #expect(dryRun.output == "trade BTC/USDT:9001 would be reversed\n" + told)
        #expect(try database.contents() == before)

        let done = try await database.running(["trade", "reverse", "9001", "--reason", "fat finger"])
        let batch = try database.value("select batch_no from reversals")
        #expect(done.output == "trade BTC/USDT:9001 is reversed, in batch \(batch)\n" + told)
        #expect(done.errors == "")
        for (account, asset, amount) in [
            ("alice", "USDT", "1000.000000"), ("alice", "BTC", "0.00000000"), ("bob", "BTC", "10.00000000"),
            ("bob", "USDT", "0.000000"), ("house", "BTC", "0.00000000"), ("house", "USDT", "0.000000"),
        ] { #expect(try database.available(account, asset) == amount, "\(account) \(asset)") }
        #expect(try database.value("select status from trades") == "SETTLED")

        // Once more, by whomever: nothing moves.
        let after = try database.contents()
        let again = try await database.running(["trade", "reverse", "BTC/USDT:9001", "--reason", "again"])
        let user = try database.value("select actor from reversals")
        #expect(again.exitCode == 0)
        #expect(
            again.output.withoutTimes
                == "trade BTC/USDT:9001 was reversed at TIME by \(user): fat finger (nothing moved)\n")
        let json = try await database.expecting("trade reverse 9001 --reason again -o jsonl").withoutTimes
        #expect(
            json.hasPrefix(
                #"{"id":"9001","market":"BTC/USDT","outcome":"was_reversed","batch":\#(batch),"at":"TIME","#
                    + #""actor":"\#(user)","reason":"fat finger","postings":[{"account":"#), "\(json)")
        #expect(json.contains(#"{"account":"alice","account_kind":"customer","asset":"BTC","change":"-1.99000000"}"#))
        #expect(try database.contents() == after)

        #expect(
            try database.value("select action || ' ' || subject || ' ' || reason from operator_actions")
                == "reverse trade BTC/USDT:9001 fat finger")
        let shown = try await database.expecting("trade show 9001")
        #expect(
            shown.contains("status           SETTLED\n") && shown.contains("reversal_reason  fat finger\n"), "\(shown)")
        let statement = try await database.expecting("statement alice BTC")
        #expect(statement.contains("reversal of trade BTC/USDT:9001") && statement.contains("-1.99000000"))
        #expect(
            try await database.expecting("statement alice BTC -o jsonl").contains(
                #""kind":"reversal","market":"BTC/USDT","trade_id":"9001","key":null"#))
        let ledger = try await database.expecting("export ledger")
        #expect(ledger.contains(",alice,BTC,2,reversal,BTC/USDT,9001,-1.99000000,"), "\(ledger)")
        // What was exported as settled was settled.
        #expect(try await database.expecting("export trades").split(whereSeparator: \.isNewline).count == 2)
        #expect(try database.violations() == [])
    }

    @Test func `who has not enough is named, on record, and can be asked again`() async throws {
        try await settle(tradeLine("1"))
        try await database.expecting("withdraw bob 60 USDT --id w1")
        try await database.expecting("withdraw alice 0.25 BTC --id w2")
        let entries = try database.count("ledger_entries")
        let lacks =
            "settle: trade BTC/USDT:1 cannot be reversed: account alice has 0.75000000 BTC available, needs 1.00000000 "
            + "BTC: 0.25000000 BTC missing; account bob has 40.000000 USDT available, needs 100.000000 USDT: 60.000000 "
            + "USDT missing. Nothing was moved. Give the command again when it is there\n"
        let predicted = try await database.typing("trade reverse 1 --dry-run")
        #expect(predicted.exitCode == 1 && predicted.errors.hasSuffix(lacks), "\(predicted.errors)")
        #expect(try database.count("operator_actions") == 0)
        let refused = try await database.running(["trade", "reverse", "1", "--reason", "wrong price"])
        #expect(refused.exitCode == 1 && refused.output == "" && refused.errors == lacks, "\(refused.errors)")
        #expect(try database.count("ledger_entries") == entries)
        #expect(try database.count("reversals") == 0)
        #expect(
            try database.value(
                "select concat_ws(' | ', action, subject, reason, detail ->> 'because') from operator_actions"
            )
            .hasPrefix("reverse_refused | trade BTC/USDT:1 | wrong price | account alice has 0.75000000 BTC"))
        // With a credit line, and with what came back: the same command.
        try await database.expecting("deposit alice 0.25 BTC --id d1")
        try await database.expecting("account credit bob 60 USDT --reason friend")
        try await database.expecting("trade reverse 1 --reason again")
        #expect(try database.available("bob", "USDT") == "-60.000000")
        #expect(try database.violations() == [])
    }

    @Test func `what a hold paid becomes available, not held`() async throws {
        let (alice, bob) = (Identifier("alice")!, Identifier("bob")!)
        let order = OrderKey(stream: nil, order: Identifier("71")!)
        let hold = Operation(
            key: Identifier("hold-1")!, kind: .reserve, account: alice, asset: AssetSymbol("USDT")!,
            amount: DecimalNumber("80")!, order: order)
        let trade = Trade(
            id: Identifier("9")!, market: MarketSymbol("BTC/USDT")!, price: DecimalNumber("100")!,
            quantity: DecimalNumber("1")!, buyer: alice, seller: bob, buyOrder: order.order)
        _ = try await database.wallet().settle([
            SettlementItem(.operation(hold), origin: .message("test")),
            SettlementItem(.trade(trade), origin: .message("test")),
        ])
        try await database.expecting("trade reverse 9 --reason mistake")
        #expect(try database.available("alice", "USDT") == "1000.000000")
        #expect(try database.value("select remaining from holds") == "0")
        #expect(try database.violations() == [])
    }

    @Test func `a frozen account and a halted market stand in no reversal's way, a closed account does`() async throws {
        try await settle(tradeLine("1"), tradeLine("2", buyer: "carol"), tradeLine("3"))
        try await database.expecting("account freeze bob --reason review")
        try await database.expecting("market halt BTC/USDT --reason prices")
        try await database.expecting("queue pause --reason night")
        try await database.expecting("trade reverse 1 --reason mistake")
        #expect(try database.available("bob", "BTC") == "9.00000000")

        try await database.expecting("withdraw alice 1 BTC --id w1")
        try await database.expecting("withdraw alice 900 USDT --id w2")
        try await database.expecting("account close alice --reason left --yes")
        for flags in ["--dry-run", "--reason again"] {
            let refused = try await database.typing("trade reverse 3 \(flags)")
            #expect(refused.exitCode == 1)
            #expect(
                refused.errors.hasSuffix(
                    "settle: trade BTC/USDT:3 cannot be reversed: account alice is closed. Nothing was moved. "
                        + "'settle account unfreeze alice' opens it again\n"), "\(refused.errors)")
        }
        #expect(try database.violations() == [])
    }

    @Test func `what is not settled, not there or an engine's is refused in one line`() async throws {
        try await settle(tradeLine("1", quantity: "11"))
        let failed = try await database.typing("trade reverse 1 --reason x")
        #expect(failed.exitCode == 1)
        #expect(
            failed.errors == "settle: trade BTC/USDT:1 is FAILED; only what is settled can be reversed. "
                + "'settle explain BTC/USDT:1' says more\n")
        let missing = try await database.typing("trade reverse 2 --reason x")
        #expect(missing.exitCode == 5)
        #expect(missing.errors == "settle: there is no trade 2; 'settle trade list' shows those there are\n")
        #expect(try await database.typing("trade reverse").exitCode == 64)
        let unexplained = try await database.typing("trade reverse 1")
        #expect(unexplained.exitCode == 64 && unexplained.errors.contains("'--reason TEXT'"))

        let trade = Trade(
            id: Identifier("7")!, market: MarketSymbol("BTC/USDT")!, price: DecimalNumber("100")!,
            quantity: DecimalNumber("1")!, buyer: Identifier("alice")!, seller: Identifier("bob")!,
            stream: Identifier("main")!, sequence: 5)
        let item = SettlementItem(.trade(trade), origin: .message("test"))
        #expect(try await database.wallet().settle([item]) == [.settled])
        try await database.expecting("trade reverse 7 --dry-run")
        try database.execute("insert into feed_state (stream, watermark) values ('main', 5)")
        let engine = try await database.typing("trade reverse 7 --reason x")
        #expect(engine.exitCode == 1)
        #expect(engine.errors.contains("trade BTC/USDT:7 is an engine's, whose output 'main' is settled here"))
        #expect(try database.count("reversals") == 0)
        #expect(try database.violations() == [])
    }

    @Test func `many who reverse one trade at once, killed or not, move it back once`() async throws {
        try await settle(Self.withFees, tradeLine("2"))
        for round in 0..<8 {
            var programs: [Program] = []
            for _ in 0..<4 {
                programs.append(
                    try Program(
                        ["trade", "reverse", "9001", "--reason", "round \(round)"],
                        environment: ["DATABASE_URL": database.connectionString]))
            }
            // At some point of its way.
            try await Task.sleep(for: .milliseconds(Int.random(in: 10...250)))
            if round < 7 { for program in programs.dropFirst(round / 3) { program.signal(9) } }
            for program in programs {
                let result = await program.wait()
                #expect(result.wasKilled || result.exitCode == 0, "\(result.errors)")
            }
            #expect(try database.count("reversals") <= 1)
            #expect(try database.violations() == [])
        }
        #expect(try database.count("reversals") == 1)
        #expect(try database.count("operator_actions where action = 'reverse'") == 1)
        #expect(try database.count("ledger_entries where kind = 'reversal'") == 6)
        #expect(try database.available("alice", "USDT") == "900.000000")
        #expect(try database.violations() == [])
    }
}
