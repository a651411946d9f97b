import Foundation
import SettleTesting
import Testing
import TradeModel

/// What waits at the engine, order by order.
@Suite struct OrderCommandTests {
    private func venue() async throws -> TradingVenue {
        let venue = try await TradingVenue()
        try await venue.carryOut(TradingVenue.listings)
        try await venue.carryOut(
            TradingVenue.deposit("alice", "100000", "USDT"), TradingVenue.deposit("bob", "10", "BTC"))
        return venue
    }

    @Test func `an open order is shown with what is left of it and held for it`() async throws {
        // given
        let venue = try await venue()
        try await venue.carryOut(
            TradingVenue.order("alice", .buy, "1", at: "100.5", id: "mine"),
            TradingVenue.order("bob", .sell, "0.25", at: "100"))

        // then
        let text = """
            order 6 of account alice is open: buy 1.00000000 BTC/USDT at 100.50
              0.75000000 of 1.00000000 left, 75.375000 USDT held

            """
        for line in ["order show alice 6", "order show alice --id mine"] {
            let result = try await venue.settle(line)
            #expect(result.exitCode == 0 && result.output == text, "\(result)")
        }
        let json = try await venue.settle("order show alice 6 -o jsonl")
        #expect(
            json.output == """
                {"order":6,"account":"alice","market":"BTC/USDT","side":"buy","price":"100.50",\
                "quantity":"1.00000000","remaining":"0.75000000","held":"75.375000","held_asset":"USDT",\
                "post_only":false}

                """)
        #expect(await venue.engine.stop().exitCode == 0)
    }

    @Test func `an order that is not open says so, as far as the engine knows`() async throws {
        let venue = try await venue()
        try await venue.carryOut(
            TradingVenue.order("alice", .buy, "1", at: "100", id: "done"),
            TradingVenue.order("bob", .sell, "1", at: "100"))
        for (line, message) in [
            (
                "order show alice 6",
                "order 6 of account alice is not open: it has ended, or there never was one. "
                    + "'settle feed tail --from 6 --limit 1' shows the record of that number"
            ),
            ("order show alice 400", "there is no order 400 yet: the engine's newest record is 7"),
            (
                "order show alice --id done",
                "order 'done' of account alice has ended; 'settle order list alice' shows those that are open"
            ),
            (
                "order show alice --id never",
                "order 'never' of account alice is not open, and none under this id has ended lately"
            ),
            ("order show carol 6", "the engine has no account carol; a first deposit opens it"),
            ("order list carol", "the engine has no account carol; a first deposit opens it"),
        ] {
            let result = try await venue.settle(line)
            #expect(result.exitCode == 5 && result.output == "", "\(line)")
            #expect(result.errors == "settle: \(message)\n")
        }
        let empty = try await venue.settle("order list alice")
        #expect(empty.exitCode == 0 && empty.output == "" && empty.errors == "Account alice has no such open order.\n")
        #expect(try await venue.settle("order list alice --json").output == "[]\n")
        #expect(await venue.engine.stop().exitCode == 0)
    }

    @Test func `an account's orders are listed the oldest first, page by page`() async throws {
        // given
        let venue = try await venue()
        for number in 1...5 {
            try await venue.carryOut(
                TradingVenue.order("alice", .buy, "0.1", at: "\(100 - number)"),
                TradingVenue.order("bob", .sell, "0.5", at: "\(200 + number)"))
        }
        try await venue.carryOut(.cancel(account: Identifier("alice")!, order: .number(8)))

        // then
        let first = try await venue.settle("order list alice --limit 2")
        #expect(
            first.output == """
                ORDER  MARKET    SIDE  PRICE    QUANTITY        LEFT           HELD
                    6  BTC/USDT  buy   99.00  0.10000000  0.10000000  9.900000 USDT
                   10  BTC/USDT  buy   97.00  0.10000000  0.10000000  9.700000 USDT

                """)
        #expect(first.errors == "more: --after 10\n")
        let rest = try await venue.settle("order list alice --market BTC/USDT --after 10 -o jsonl")
        #expect(rest.lines.map { $0.prefix(11) } == ["{\"order\":12", "{\"order\":14"] && rest.errors == "")
        #expect(try await venue.settle("order list bob --json").output.ranges(of: "\"order\":").count == 5)
        #expect(try await venue.settle("order list bob --market ETH/USDT --json").output == "[]\n")
        #expect(await venue.engine.stop().exitCode == 0)
    }

    @Test(arguments: [
        ("order show alice", "name the order by ORDER"), ("order show alice 0", "ORDER is a number from 1 on"),
        ("order list alice --limit 0", "'--limit' is from 1 to"), ("order list", "missing argument ACCOUNT"),
        ("order list alice --market BTC", "a market is two different assets"),
    ])
    func `a mistyped line is one line of advice`(line: String, message: String) async throws {
        let result = try await Program(line.split(separator: " ").map(String.init)).wait()
        #expect(result.exitCode == 64 && result.errors.contains(message), "\(result.errors)")
    }
}
