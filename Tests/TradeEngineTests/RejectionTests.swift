import Testing
import TradeModel

@testable import TradeEngine

/// What is refused, and why.
@Suite struct RejectionTests {
    private func open() throws -> Exchange {
        let exchange = try Exchange.open()
        try exchange.deposit("alice", "100000", "USD")
        try exchange.deposit("alice", "1000", "BTC")
        return exchange
    }

    private func listing(_ change: (inout MarketListing) -> Void) -> EngineCommand.Action {
        var listing = MarketListing(
            symbol: MarketSymbol("BTC/EUR")!, tick: DecimalNumber("0.5")!, lot: DecimalNumber("0.001")!,
            quantityMin: DecimalNumber("0.002")!, quantityMax: DecimalNumber("100")!,
            priceMax: DecimalNumber("100000")!, fees: [.none])
        change(&listing)
        return .listMarket(listing)
    }

    @Test func `an asset and a market are listed once`() throws {
        let exchange = try open()
        #expect(try exchange.run(.listAsset(symbol: AssetSymbol("USD")!, decimals: 4)).rejection == .alreadyListed)
        #expect(try exchange.run(listing { $0.symbol = Exchange.market }).rejection == .alreadyListed)
        #expect(try exchange.run(listing { _ in }).rejection == .unknownAsset)
        try exchange.run(.listAsset(symbol: AssetSymbol("EUR")!, decimals: 2))
        #expect(try exchange.run(listing { _ in }).rejection == nil)
    }

    @Test func `rules that contradict themselves make no market`() throws {
        let exchange = try open()
        try exchange.run(.listAsset(symbol: AssetSymbol("EUR")!, decimals: 2))
        let changes: [(inout MarketListing) -> Void] = [
            { $0.tick = .zero }, { $0.tick = DecimalNumber("-0.5")! }, { $0.lot = .zero },
            { $0.tick = DecimalNumber("0.0000000000000000001")! },
            { $0.lot = DecimalNumber("0.00001")! },
            { $0.quantityMin = .zero }, { $0.quantityMin = DecimalNumber("0.0025")! },
            { $0.quantityMin = DecimalNumber("101")! }, { $0.quantityMax = DecimalNumber("0.0015")! },
            { $0.quantityMax = DecimalNumber("99999999999999999999")! },
            { $0.priceMax = .zero }, { $0.priceMax = DecimalNumber("0.7")! },
            { $0.priceMax = DecimalNumber("100000000000")! },
            // One lot would cost nothing at any price.
            { $0.priceMax = DecimalNumber("9.5")! },
            { $0.fees = [TradingFees(maker: 0, taker: 1_000_001)] },
            { $0.fees = [.none, TradingFees(maker: -1_000_001, taker: 0)] },
        ]
        for (index, change) in changes.enumerated() {
            #expect(try exchange.run(listing(change)).rejection == .invalidMarketRules, "\(index)")
        }
    }

    @Test func `a customer is called neither house nor world, nor by blanks that nobody sees`() throws {
        let exchange = try open()
        for name in ["house", "world", "house/7", "world/", " alice", "alice ", "alice\u{a0}"] {
            #expect(try exchange.deposit(name, "1", "USD").rejection == .invalidAccountName, "\(name)")
        }
        for name in ["houses", "The house", "a b", "José", String(repeating: "x", count: 64)] {
            #expect(try exchange.deposit(name, "1", "USD").rejection == nil, "\(name)")
            #expect(exchange.balance(name, "USD") == "1.00 + 0.00")
        }
    }

    @Test func `amounts are positive and not finer than their asset`() throws {
        let exchange = try open()
        for amount in ["0", "-1", "0.001"] {
            #expect(try exchange.deposit("alice", amount, "USD").rejection == .invalidAmount)
            #expect(try exchange.withdraw("alice", amount, "USD").rejection == .invalidAmount)
        }
        #expect(try exchange.deposit("alice", "1", "XRP").rejection == .unknownAsset)
        #expect(try exchange.withdraw("nobody", "1", "USD").rejection == .unknownAccount)
    }

    @Test func `of an asset no more comes in than can be counted`() throws {
        let exchange = try open()
        let most = "9" + String(repeating: "9", count: 33)
        #expect(try exchange.deposit("alice", most, "USD").rejection == .limitReached)
        #expect(try exchange.deposit("alice", String(most.dropLast()), "USD").rejection == nil)
        #expect(exchange.violations() == [])
    }

    @Test(
        arguments: [
            ("1", "100.25", .priceOffTick), ("1", "100000.5", .priceOutOfRange), ("1", "0", .priceOutOfRange),
            ("1", "-100", .priceOutOfRange), ("1", "99999999999999999999999", .priceOutOfRange),
            ("0", "100", .quantityTooSmall), ("-1", "100", .quantityTooSmall), ("0.001", "100", .quantityTooSmall),
            ("0.0025", "100", .quantityOffLot), ("0.00250001", "100", .quantityOffLot),
            ("100.001", "100", .quantityTooLarge), ("99999999999999999999999", "100", .quantityTooLarge),
        ] as [(String, String, RejectReason)])
    func `prices and quantities keep to the market's rules`(
        quantity: String, price: String, reason: RejectReason
    ) throws {
        let exchange = try open()
        #expect(try exchange.limit("alice", .buy, quantity, at: price).rejection == reason)
        #expect(exchange.balance("alice", "USD") == "100000.00 + 0.00")
    }

    @Test func `an order that contradicts itself is refused`() throws {
        let exchange = try open()
        let one = DecimalNumber("1")!
        func order(
            _ side: OrderSide, _ kind: OrderKind, _ timeInForce: TimeInForce, _ price: DecimalNumber?,
            _ quantity: DecimalNumber?, _ budget: DecimalNumber?
        ) throws -> RejectReason? {
            try exchange.run(
                .place(
                    OrderRequest(
                        account: Identifier("alice")!, market: Exchange.market, side: side, kind: kind,
                        timeInForce: timeInForce, price: price, quantity: quantity, budget: budget))
            ).rejection
        }
        #expect(try order(.buy, .limit, .goodTillCancelled, nil, one, nil) == .invalidOrder)
        #expect(try order(.buy, .limit, .goodTillCancelled, one, nil, nil) == .invalidOrder)
        #expect(try order(.buy, .limit, .goodTillCancelled, one, one, one) == .invalidOrder)
        #expect(try order(.buy, .market, .immediateOrCancel, one, one, one) == .invalidOrder)
        #expect(try order(.buy, .market, .immediateOrCancel, nil, one, nil) == .invalidOrder)
        #expect(try order(.sell, .market, .immediateOrCancel, nil, one, one) == .invalidOrder)
        #expect(try order(.sell, .market, .immediateOrCancel, nil, nil, nil) == .invalidOrder)
        #expect(try order(.sell, .market, .goodTillCancelled, nil, one, nil) == .invalidOrder)
        #expect(try order(.sell, .market, .postOnly, nil, one, nil) == .invalidOrder)
        #expect(try order(.buy, .market, .fillOrKill, nil, nil, one) == .invalidOrder)
        #expect(try order(.buy, .market, .immediateOrCancel, nil, nil, .zero) == .invalidAmount)
    }

    @Test func `an order whose cost cannot be counted is refused, and so is a fee on top of it`() throws {
        let exchange = Exchange()
        for symbol in ["BTC", "USD"] {
            try exchange.run(.listAsset(symbol: AssetSymbol(symbol)!, decimals: 18))
        }
        let listed = try exchange.run(
            .listMarket(
                MarketListing(
                    symbol: Exchange.market, tick: DecimalNumber("1000000000")!, lot: DecimalNumber("9")!,
                    quantityMin: DecimalNumber("9")!, quantityMax: DecimalNumber("81000000000000000")!,
                    priceMax: DecimalNumber("60000000000000000000")!, fees: [.none])))
        #expect(listed.rejection == .invalidMarketRules)
        try exchange.run(
            .listMarket(
                MarketListing(
                    symbol: Exchange.market, tick: DecimalNumber("1")!, lot: DecimalNumber("9")!,
                    quantityMin: DecimalNumber("9")!, quantityMax: DecimalNumber("81000000000000000")!,
                    priceMax: DecimalNumber("60000000000")!, feeRule: .quote,
                    fees: [TradingFees(maker: 0, taker: 1_000_000)])))
        try exchange.deposit("alice", "1", "USD")
        let most = "81000000000000000"
        #expect(try exchange.limit("alice", .buy, most, at: "60000000000").rejection == .amountOverflow)
        #expect(try exchange.limit("alice", .buy, "720000000000", at: "100000000").rejection == .amountOverflow)
        #expect(try exchange.limit("alice", .buy, "9", at: "60000000000").rejection == .insufficientFunds)
    }

    @Test func `no rebate is given when the house owes more than can be counted`() throws {
        let exchange = try Exchange.open(fees: [TradingFees(maker: -1, taker: 0)])
        try exchange.deposit("alice", "1000", "USD")
        try exchange.deposit("alice", "10", "BTC")
        let quote = exchange.engine.assets.firstIndex { $0.symbol.text == "USD" }!
        exchange.engine.totals[Int32(quote)].house = -ListedAsset.unitsMax - 1
        #expect(try exchange.limit("alice", .buy, "1", at: "100").rejection == .houseInDebt)
        exchange.engine.totals[Int32(quote)].house += 1
        #expect(try exchange.limit("alice", .buy, "1", at: "100").rejection == nil)
    }

    @Test func `bytes that are no command make no record`() throws {
        let exchange = try open()
        let (sequence, hash) = (exchange.engine.sequence, exchange.engine.hash)
        #expect(throws: MalformedBytes(.unknownVersion(9), at: 0)) {
            try [UInt8]([9, 1, 1]).withUnsafeBytes { _ = try exchange.engine.apply($0) }
        }
        #expect(exchange.engine.sequence == sequence && exchange.engine.hash == hash)
    }
}
