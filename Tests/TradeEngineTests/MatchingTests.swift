import Testing
import TradeModel

@testable import TradeEngine

/// Which orders meet, at which price, and what becomes of them.
@Suite struct MatchingTests {
    private func funded(_ exchange: Exchange) throws -> Exchange {
        for account in ["alice", "bob", "carol"] {
            try exchange.deposit(account, "100000", "USD")
            try exchange.deposit(account, "100", "BTC")
        }
        return exchange
    }

    private func open(_ selfTradeRule: SelfTradeRule = .cancelNewest) throws -> Exchange {
        try funded(Exchange.open(selfTradeRule: selfTradeRule))
    }

    @Test func `the best price trades first, and at one price the order that came first`() throws {
        let exchange = try open()
        let late = try exchange.limit("alice", .sell, "1", at: "101").sequence
        let first = try exchange.limit("bob", .sell, "1", at: "100").sequence
        let second = try exchange.limit("alice", .sell, "1", at: "100").sequence

        let output = try exchange.limit("carol", .buy, "2.5", at: "101")

        #expect(output.trades.map(\.makerOrder) == [first, second, late])
        #expect(output.trades.map(\.price.units) == [1000, 1000, 1010])
        #expect(output.trades.map(\.number) == [1, 2, 3])
        #expect(exchange.book(.sell) == ["101.0×0.5000 (1)"])
        #expect(exchange.violations() == [])
    }

    @Test func `an order's first event is that it is new, and its hold comes before its trades`() throws {
        let exchange = try open()
        try exchange.limit("alice", .sell, "1", at: "100")
        let output = try exchange.limit("bob", .buy, "1.5", at: "101")
        let (sell, buy) = (output.sequence - 1, output.sequence)
        #expect(
            output.story == [
                "new \(buy)", "hold 151.50 for \(buy)", "\(buy) takes 1.0000 of \(sell) for 100.00",
                "\(sell) filled, 0.0000 left", "\(buy) partially_filled, 0.5000 left",
                "release 1.00 of \(buy) to bob",
            ])
        #expect(exchange.book(.buy) == ["101.0×0.5000 (1)"])
    }

    @Test func `an order number is the sequence of the record that accepted it`() throws {
        let exchange = try open()
        let before = exchange.engine.sequence
        let output = try exchange.limit("alice", .sell, "1", at: "100")
        #expect(output.sequence == before + 1)
        #expect(output.events.first == .new(order: output.sequence))
    }

    @Test func `what an immediate order cannot trade expires`() throws {
        let exchange = try open()
        try exchange.limit("alice", .sell, "1", at: "100")
        let output = try exchange.limit("bob", .buy, "3", at: "100", .immediateOrCancel)
        #expect(output.story.contains("\(output.sequence) expired (unfilled), 2.0000 left"))
        #expect(exchange.book(.buy) == [])
        #expect(exchange.balance("bob", "USD") == "99900.00 + 0.00")
    }

    @Test func `fill or kill takes everything or changes nothing`() throws {
        let exchange = try open()
        try exchange.limit("alice", .sell, "1", at: "100")
        try exchange.limit("alice", .sell, "1", at: "102")
        #expect(try exchange.limit("bob", .buy, "2", at: "101", .fillOrKill).rejection == .notFillable)
        #expect(exchange.balance("bob", "USD") == "100000.00 + 0.00")
        #expect(exchange.book(.sell).count == 2)
        let output = try exchange.limit("bob", .buy, "2", at: "102", .fillOrKill)
        #expect(output.trades.count == 2)
        #expect(exchange.book(.sell) == [])
    }

    @Test func `post-only never takes`() throws {
        let exchange = try open()
        try exchange.limit("alice", .sell, "1", at: "100")
        #expect(try exchange.limit("bob", .buy, "1", at: "100", .postOnly).rejection == .postOnlyWouldTake)
        let resting = try exchange.limit("bob", .buy, "1", at: "99.5", .postOnly)
        #expect(resting.rejection == nil)
        #expect(try exchange.amend("bob", resting.sequence, price: "100").rejection == .postOnlyWouldTake)
        #expect(exchange.book(.buy) == ["99.5×1.0000 (1)"])
    }

    @Test func `a market sell takes what there is, and the rest of it expires`() throws {
        let exchange = try open()
        try exchange.limit("alice", .buy, "1", at: "100")
        try exchange.limit("bob", .buy, "1", at: "90")
        let output = try exchange.market("carol", .sell, "3")
        #expect(output.trades.map(\.price.units) == [1000, 900])
        #expect(output.story.contains("\(output.sequence) expired (unfilled), 1.0000 left"))
        #expect(exchange.balance("carol", "BTC") == "98.0000 + 0.0000")
    }

    @Test func `a market buy spends its budget and no more`() throws {
        let exchange = try open()
        try exchange.limit("alice", .sell, "1", at: "100")
        try exchange.limit("alice", .sell, "1", at: "200")
        let bound = try exchange.market("bob", .buy, "2", budget: "150.30")
        // 50.30 buys 0.251 at 200, and 0.10 is left.
        #expect(bound.trades.map(\.quantity.units) == [10_000, 2_510])
        #expect(bound.story.suffix(2).first == "\(bound.sequence) expired (unfilled), 0.7490 left")
        #expect(exchange.balance("bob", "USD") == "99849.80 + 0.00")

        let unbound = try exchange.market("bob", .buy, nil, budget: "40")
        #expect(unbound.trades.map(\.quantity.units) == [2_000])
        #expect(unbound.story.last == "\(unbound.sequence) filled, 0.0000 left")
        #expect(exchange.violations() == [])
    }

    @Test func `a market order whose budget buys nothing expires, and the whole hold is released`() throws {
        let exchange = try open()
        try exchange.limit("alice", .sell, "1", at: "100")
        let output = try exchange.market("bob", .buy, nil, budget: "0.09")
        #expect(output.trades == [])
        #expect(output.story[2].contains("expired (unfilled)"))
        #expect(exchange.balance("bob", "USD") == "100000.00 + 0.00")
    }

    @Test func `no trade is so small that it costs nothing`() throws {
        // One lot at 5 costs half a cent.
        let exchange = try open()
        #expect(try exchange.limit("alice", .buy, "1", at: "9.5").rejection == .priceOutOfRange)
        #expect(try exchange.limit("alice", .buy, "1", at: "10").rejection == nil)
    }

    @Test func `orders of one account do not trade with each other, as the market's rule says`() throws {
        for rule in SelfTradeRule.allCases {
            let exchange = try open(rule)
            let own = try exchange.limit("alice", .sell, "1", at: "100").sequence
            let other = try exchange.limit("bob", .sell, "1", at: "101").sequence
            let output = try exchange.limit("alice", .buy, "2", at: "101")
            let new = output.sequence
            switch rule {
            case .allow: #expect(output.trades.map(\.makerOrder) == [own, other])
            case .cancelNewest:
                #expect(output.trades == [])
                #expect(output.story.contains("\(new) cancelled (self_trade), 2.0000 left"))
                #expect(exchange.book(.sell).count == 2)
            case .cancelOldest:
                #expect(output.trades.map(\.makerOrder) == [other])
                #expect(output.story.contains("\(own) cancelled (self_trade), 1.0000 left"))
                #expect(exchange.book(.buy) == ["101.0×1.0000 (1)"])
            case .cancelBoth:
                #expect(output.trades == [])
                #expect(output.story.contains("\(own) cancelled (self_trade), 1.0000 left"))
                #expect(output.story.contains("\(new) cancelled (self_trade), 2.0000 left"))
                #expect(exchange.book(.buy) == [])
            }
            #expect(exchange.violations() == [])
        }
    }

    @Test func `fill or kill does not count what it would not trade with`() throws {
        for rule in SelfTradeRule.allCases {
            let exchange = try open(rule)
            try exchange.limit("alice", .sell, "1", at: "100")
            try exchange.limit("bob", .sell, "1", at: "101")
            let output = try exchange.limit("alice", .buy, "1.5", at: "101", .fillOrKill)
            #expect((output.rejection == nil) == (rule == .allow), "\(rule)")
            #expect(exchange.book(.sell).count == (rule == .allow ? 1 : 2))
        }
    }

    @Test func `one command meets a bounded number of orders`() throws {
        let exchange = try open()
        for _ in 0..<EngineOutput.matchCountMax + 1 { try exchange.limit("alice", .sell, "0.002", at: "100") }
        let killed = try exchange.limit("bob", .buy, "20.002", at: "100", .fillOrKill)
        #expect(killed.rejection == .notFillable)
        let output = try exchange.limit("bob", .buy, "30", at: "100")
        #expect(output.trades.count == EngineOutput.matchCountMax)
        #expect(exchange.record.count < EngineOutput.byteCountMax)
        #expect(output.story.contains("\(output.sequence) expired (match_limit), 10.0000 left"))
        #expect(exchange.book(.sell) == ["100.0×0.0020 (1)"])
        #expect(exchange.book(.buy) == [])
    }

    @Test func `a halted market lets orders be cancelled and nothing else`() throws {
        let exchange = try open()
        let order = try exchange.limit("alice", .sell, "1", at: "100").sequence
        #expect(try exchange.run(.resumeMarket(Exchange.market)).rejection == .marketNotHalted)
        #expect(try exchange.run(.haltMarket(Exchange.market)).rejection == nil)
        #expect(try exchange.run(.haltMarket(Exchange.market)).rejection == .marketHalted)
        #expect(try exchange.limit("bob", .buy, "1", at: "100").rejection == .marketHalted)
        #expect(try exchange.amend("alice", order, price: "101").rejection == .marketHalted)
        #expect(try exchange.cancel("alice", order).rejection == nil)
        #expect(try exchange.run(.resumeMarket(Exchange.market)).rejection == nil)
        #expect(try exchange.limit("bob", .buy, "1", at: "100").rejection == nil)
    }

    // MARK: - Amend

    @Test func `an order that only shrinks keeps its place and gets back what it no longer needs`() throws {
        let exchange = try open()
        let first = try exchange.limit("alice", .buy, "2", at: "100").sequence
        try exchange.limit("bob", .buy, "1", at: "100")
        let output = try exchange.amend("alice", first, quantity: "1")
        #expect(
            output.story == [
                "\(first) wants 1.0000 at 100.0 in its place", "release 100.00 of \(first) to alice",
            ])
        #expect(try exchange.limit("carol", .sell, "1", at: "100").trades.map(\.makerOrder) == [first])
    }

    @Test func `an order that grows or gets another price goes to the back of the line`() throws {
        let exchange = try open()
        let first = try exchange.limit("alice", .buy, "1", at: "100").sequence
        let second = try exchange.limit("bob", .buy, "1", at: "100").sequence
        let output = try exchange.amend("alice", first, quantity: "1.5")
        #expect(output.story == ["\(first) wants 1.5000 at 100.0 anew", "hold 50.00 for \(first)"])
        #expect(try exchange.limit("carol", .sell, "1", at: "100").trades.map(\.makerOrder) == [second])
        try exchange.amend("alice", first, price: "99")
        #expect(exchange.book(.buy) == ["99.0×1.5000 (1)"])
        #expect(exchange.balance("alice", "USD") == "99851.50 + 148.50")
    }

    @Test func `an amended order may trade, under its own number`() throws {
        let exchange = try open()
        let buy = try exchange.limit("alice", .buy, "1", at: "90").sequence
        let sell = try exchange.limit("bob", .sell, "1", at: "100").sequence
        let output = try exchange.amend("alice", buy, price: "100")
        #expect(output.trades.map(\.takerOrder) == [buy])
        #expect(output.trades.map(\.makerOrder) == [sell])
        #expect(exchange.engine.openOrderCount == 0)
        #expect(exchange.violations() == [])
    }

    @Test func `an amendment that cannot be is rejected and changes nothing`() throws {
        let exchange = try open()
        let order = try exchange.limit("alice", .buy, "2", at: "100").sequence
        try exchange.limit("bob", .sell, "1", at: "100")
        #expect(try exchange.amend("alice", order).rejection == .nothingToAmend)
        #expect(try exchange.amend("alice", order, price: "100.0", quantity: "2").rejection == .nothingToAmend)
        #expect(try exchange.amend("alice", order, quantity: "1").rejection == .quantityAlreadyFilled)
        #expect(try exchange.amend("alice", order, quantity: "0.0015").rejection == .quantityOffLot)
        #expect(try exchange.amend("alice", order, price: "99.7").rejection == .priceOffTick)
        #expect(try exchange.amend("alice", order, price: "100000", quantity: "100").rejection == .insufficientFunds)
        #expect(try exchange.amend("bob", order, price: "99").rejection == .unknownOrder)
        #expect(try exchange.amend("nobody", order, price: "99").rejection == .unknownAccount)
        #expect(exchange.book(.buy) == ["100.0×1.0000 (1)"])
        #expect(exchange.violations() == [])
    }
}
