import TradeModel

@testable import TradeEngine

/// Tests say what happens in a few words.
extension Exchange {
    static let market = MarketSymbol("BTC/USD")!

    /// An exchange with one market, BTC (4 decimals) against USD (2).
    static func open(
        feeRule: FeeRule = .received, selfTradeRule: SelfTradeRule = .cancelNewest, fees: [TradingFees] = [.none],
        limits: EngineLimits = EngineLimits(endedOrderIDCountMax: 64)
    ) throws -> Exchange {
        let exchange = Exchange(limits: limits)
        try exchange.run(.listAsset(symbol: AssetSymbol("BTC")!, decimals: 4))
        try exchange.run(.listAsset(symbol: AssetSymbol("USD")!, decimals: 2))
        let listed = try exchange.run(
            .listMarket(
                MarketListing(
                    symbol: market, tick: DecimalNumber("0.5")!, lot: DecimalNumber("0.001")!,
                    quantityMin: DecimalNumber("0.002")!, quantityMax: DecimalNumber("100")!,
                    priceMax: DecimalNumber("100000")!, feeRule: feeRule, selfTradeRule: selfTradeRule, fees: fees)))
        precondition(listed.rejection == nil)
        return exchange
    }

    @discardableResult func deposit(
        _ account: String, _ amount: String, _ asset: String, key: String? = nil
    ) throws -> EngineOutput {
        try run(.deposit(transfer(account, amount, asset, key)))
    }

    @discardableResult func withdraw(
        _ account: String, _ amount: String, _ asset: String, key: String? = nil
    ) throws -> EngineOutput {
        try run(.withdraw(transfer(account, amount, asset, key)))
    }

    private func transfer(_ account: String, _ amount: String, _ asset: String, _ key: String?) -> Transfer {
        Transfer(
            key: Identifier(key ?? "key-\(engine.sequence)")!, account: Identifier(account)!,
            asset: AssetSymbol(asset)!, amount: DecimalNumber(amount)!)
    }

    @discardableResult func limit(
        _ account: String, _ side: OrderSide, _ quantity: String, at price: String,
        _ timeInForce: TimeInForce = .goodTillCancelled, id: String? = nil
    ) throws -> EngineOutput {
        try run(
            .place(
                OrderRequest(
                    account: Identifier(account)!, clientOrderID: id.map { Identifier($0)! }, market: Self.market,
                    side: side, timeInForce: timeInForce, price: DecimalNumber(price)!,
                    quantity: DecimalNumber(quantity)!)))
    }

    @discardableResult func market(
        _ account: String, _ side: OrderSide, _ quantity: String?, budget: String? = nil,
        _ timeInForce: TimeInForce = .immediateOrCancel
    ) throws -> EngineOutput {
        try run(
            .place(
                OrderRequest(
                    account: Identifier(account)!, market: Self.market, side: side, kind: .market,
                    timeInForce: timeInForce, quantity: quantity.map { DecimalNumber($0)! },
                    budget: budget.map { DecimalNumber($0)! })))
    }

    @discardableResult func cancel(_ account: String, _ order: UInt64) throws -> EngineOutput {
        try run(.cancel(account: Identifier(account)!, order: .number(order)))
    }

    @discardableResult func cancel(_ account: String, id: String) throws -> EngineOutput {
        try run(.cancel(account: Identifier(account)!, order: .clientOrderID(Identifier(id)!)))
    }

    @discardableResult func amend(
        _ account: String, _ order: UInt64, price: String? = nil, quantity: String? = nil
    ) throws -> EngineOutput {
        try run(
            .amend(
                Amendment(
                    account: Identifier(account)!, order: .number(order), price: price.map { DecimalNumber($0)! },
                    quantity: quantity.map { DecimalNumber($0)! })))
    }

    /// What an account has, available and held: `90.00 + 10.00`.
    func balance(_ account: String, _ asset: String) -> String {
        guard let balance = engine.balance(of: Identifier(account)!, AssetSymbol(asset)!) else { return "nothing" }
        let decimals = asset == "BTC" ? 4 : 2
        func text(_ units: Int128) -> String { Amount(units: units)!.text(decimals: decimals) }
        return "\(text(balance.available)) + \(text(balance.held))"
    }

    func house(_ asset: String) -> Int128? { engine.houseBalance(AssetSymbol(asset)!) }

    /// The book, the best prices first: `100.0×1.0000 (2)`.
    func book(_ side: OrderSide) -> [String] {
        let depth = engine.depth(of: Self.market, levelCountMax: 10)!
        return (side == .buy ? depth.bids : depth.asks).map {
            "\(Amount(units: $0.price)!.text(decimals: 1))×\(Amount(units: $0.quantity)!.text(decimals: 4)) "
                + "(\($0.orderCount))"
        }
    }
}

extension TradingFees {
    static let none = TradingFees(maker: 0, taker: 0)
}

extension EngineOutput {
    /// The events in a few words each.
    var story: [String] {
        events.map { event in
            switch event {
            case .new(let order): "new \(order)"
            case .hold(let order, let asset, let amount): "hold \(text(amount, asset)) for \(order)"
            case .trade(let trade):
                "\(trade.takerOrder) takes \(text(trade.quantity, .base)) of \(trade.makerOrder) "
                    + "for \(text(trade.quote, .quote))"
            case .release(let order, let account, let asset, let amount):
                "release \(text(amount, asset)) of \(order) to \(account)"
            case .state(let order, _, let state, let cause, let remaining):
                "\(order) \(state.name)\(cause == .none ? "" : " (\(cause.name))"), \(text(remaining, .base)) left"
            case .amended(let order, let price, let quantity, _, let keepsPriority):
                "\(order) wants \(text(quantity, .base)) at \(price.text(decimals: market!.priceDecimals))"
                    + (keepsPriority ? " in its place" : " anew")
            }
        }
    }

    private func text(_ amount: Amount, _ asset: MarketAsset) -> String {
        amount.text(decimals: market!.decimals(of: asset))
    }

    var trades: [EngineTrade] {
        events.compactMap { event -> EngineTrade? in if case .trade(let trade) = event { trade } else { nil } }
    }
}
