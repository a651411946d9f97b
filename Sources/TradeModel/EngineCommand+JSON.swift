extension EngineCommand {
    /// The command as a JSON object in one line: amounts as decimal strings, ids as they are, nothing left out.
    public var json: String {
        var object = JSONText()
        object.add("time", time.description)
        switch action {
        case .listAsset(let symbol, let decimals):
            object.add("type", "list_asset")
            object.add("symbol", symbol.text)
            object.add("decimals", integer: decimals)
        case .listMarket(let listing):
            object.add("type", "list_market")
            listing.write(to: &object)
        case .setFeeTier(let account, let tier):
            object.add("type", "set_fee_tier")
            object.add("account_id", account.text)
            object.add("tier", integer: tier)
        case .deposit(let transfer):
            object.add("type", "deposit")
            transfer.write(to: &object)
        case .withdraw(let transfer):
            object.add("type", "withdraw")
            transfer.write(to: &object)
        case .place(let order):
            object.add("type", "place")
            order.write(to: &object)
        case .cancel(let account, let order):
            object.add("type", "cancel")
            object.add("account_id", account.text)
            order.write(to: &object)
        case .amend(let amendment):
            object.add("type", "amend")
            object.add("account_id", amendment.account.text)
            amendment.order.write(to: &object)
            object.add("price", amendment.price?.description)
            object.add("quantity", amendment.quantity?.description)
        case .haltMarket(let market):
            object.add("type", "halt_market")
            object.add("market", market.text)
        case .resumeMarket(let market):
            object.add("type", "resume_market")
            object.add("market", market.text)
        }
        return object.closed
    }
}

extension MarketListing {
    fileprivate func write(to object: inout JSONText) {
        object.add("market", symbol.text)
        object.add("tick", tick.description)
        object.add("lot", lot.description)
        object.add("quantity_min", quantityMin.description)
        object.add("quantity_max", quantityMax.description)
        object.add("price_max", priceMax.description)
        object.add("fee_rule", feeRule.rawValue)
        object.add("self_trade_rule", selfTradeRule.name)
        object.add(
            "fees_millionths",
            objects: fees.map { fee in
                var object = JSONText()
                object.add("maker", integer: fee.maker)
                object.add("taker", integer: fee.taker)
                return object.closed
            })
    }
}

extension Transfer {
    fileprivate func write(to object: inout JSONText) {
        object.add("id", key.text)
        object.add("account_id", account.text)
        object.add("asset", asset.text)
        object.add("amount", amount.description)
    }
}

extension OrderRequest {
    fileprivate func write(to object: inout JSONText) {
        object.add("account_id", account.text)
        object.add("client_order_id", clientOrderID?.text)
        object.add("market", market.text)
        object.add("side", side.name)
        object.add("kind", kind.name)
        object.add("time_in_force", timeInForce.name)
        object.add("price", price?.description)
        object.add("quantity", quantity?.description)
        object.add("budget", budget?.description)
    }
}

extension OrderReference {
    fileprivate func write(to object: inout JSONText) {
        switch self {
        case .number(let number): object.add("order", String(number))
        case .clientOrderID(let id): object.add("client_order_id", id.text)
        }
    }
}
