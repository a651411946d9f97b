extension EngineOutput {
    /// The record as a JSON object in one line, from which every byte of it could be told.
    ///
    /// Amounts are decimal strings with all the decimals of their asset or price, numbers of orders and trades are
    /// texts: no reader of JSON rounds them.
    public var json: String {
        var object = JSONText()
        object.add("sequence", String(sequence))
        object.add("outcome", rejection == nil ? "accepted" : "rejected")
        object.add("reason", rejection?.name)
        object.add("command", object: command.json)
        if let market { object.add("market", object: market.json) }
        object.add("events", objects: events.map { $0.json(market) })
        return object.closed
    }
}

extension MarketScale {
    fileprivate var json: String {
        var object = JSONText()
        object.add("symbol", symbol.text)
        object.add("base_decimals", integer: baseDecimals)
        object.add("quote_decimals", integer: quoteDecimals)
        object.add("price_decimals", integer: priceDecimals)
        object.add("fee_rule", feeRule.rawValue)
        return object.closed
    }
}

extension EngineEvent {
    /// - Parameter market: nil only for a rejected order, which has nothing left.
    fileprivate func json(_ market: MarketScale?) -> String {
        let baseDecimals = market?.baseDecimals ?? 0
        let priceDecimals = market?.priceDecimals ?? 0
        func held(_ asset: MarketAsset, _ amount: Amount, to object: inout JSONText) {
            object.add("asset", market?.symbol(of: asset).text)
            object.add("amount", amount.text(decimals: market?.decimals(of: asset) ?? 0))
        }
        var object = JSONText()
        switch self {
        case .new(let order):
            object.add("type", "new")
            object.add("order", String(order))
        case .hold(let order, let asset, let amount):
            object.add("type", "hold")
            object.add("order", String(order))
            held(asset, amount, to: &object)
        case .trade(let trade):
            object.add("type", "trade")
            if let market { trade.write(to: &object, market) }
        case .release(let order, let account, let asset, let amount):
            object.add("type", "release")
            object.add("order", String(order))
            object.add("account_id", account.text)
            held(asset, amount, to: &object)
        case .state(let order, let account, let state, let cause, let remaining):
            object.add("type", "state")
            object.add("order", String(order))
            object.add("account_id", account.text)
            object.add("state", state.name)
            object.add("cause", cause.name)
            object.add("remaining", remaining.text(decimals: baseDecimals))
        case .amended(let order, let price, let quantity, let remaining, let keepsPriority):
            object.add("type", "amended")
            object.add("order", String(order))
            object.add("price", price.text(decimals: priceDecimals))
            object.add("quantity", quantity.text(decimals: baseDecimals))
            object.add("remaining", remaining.text(decimals: baseDecimals))
            object.add("keeps_priority", keepsPriority)
        }
        return object.closed
    }
}

extension EngineTrade {
    fileprivate func write(to object: inout JSONText, _ market: MarketScale) {
        object.add("trade", String(number))
        object.add("price", price.text(decimals: market.priceDecimals))
        object.add("quantity", quantity.text(decimals: market.baseDecimals))
        object.add("quote", quote.text(decimals: market.quoteDecimals))
        object.add("taker", takerSide == .buy ? "buyer" : "seller")
        object.add("buyer_id", buyer.text)
        object.add("seller_id", seller.text)
        object.add("buy_order", String(buyOrder))
        object.add("sell_order", String(sellOrder))
        for (key, fee, side) in [("buyer_fee", buyerFee, OrderSide.buy), ("seller_fee", sellerFee, .sell)] {
            object.add(key, fee.text(decimals: market.decimals(of: market.feeAsset(of: side))))
        }
    }
}
