import TradeModel

extension MatchingEngine {
    mutating func place(_ request: EngineCommandView.OrderRequestView) throws(RejectReason) {
        guard let number = markets.find(request.market) else { throw .unknownMarket }
        let market = markets[number]
        subject = market
        let hash = AccountBook.hash(of: request.account)
        book.bringNear(hash)
        let client = request.clientOrderID.map { RememberedIDs.key(hash, $0) } ?? .none
        clientIDs.bringNear(client)
        orderIndex.bringNear(spread(sequence))
        let (limit, lots): (Int64, Int64)
        do {
            (limit, lots) = try terms(of: request, in: market)
        } catch {
            // It counts first who asks, and whether anything may be asked.
            guard book.find(request.account, hash) != nil else { throw .unknownAccount }
            throw market.pointee.isHalted ? .marketHalted : error
        }
        let level = request.side == .buy ? market.pointee.bids.level(at: limit) : market.pointee.asks.level(at: limit)
        levels.bringNear(level)
        guard let account = book.find(request.account, hash) else { throw .unknownAccount }
        guard !market.pointee.isHalted else { throw .marketHalted }
        let heldBalance = book.balance(account, market.pointee.asset(request.side.heldAsset)) ?? -1
        book.balances.bringNear(heldBalance)
        guard client == .none || clientIDs.find(client, orders) == nil else { throw .duplicateClientOrderID }
        let hasBudget = request.kind == .market && request.side == .buy
        var taker = IncomingOrder(
            number: sequence, client: client, account: account, side: request.side, timeInForce: request.timeInForce,
            limit: limit, lots: lots, remaining: lots, rates: market.pointee.fees(tier: book.accounts[account].tier),
            hold: 0, heldBalance: heldBalance, level: level, hasBudget: hasBudget,
            isBoundByBudgetAlone: hasBudget && request.quantity == nil)
        try requireSolventHouse(in: market)
        guard orders.count < Self.openOrderLimit else { throw .limitReached }
        try fund(&taker, request, in: market)
        if request.timeInForce == .postOnly, meets(taker.side, taker.limit, in: market) { throw .postOnlyWouldTake }
        if request.timeInForce == .fillOrKill, !isFillable(taker, in: market) { throw .notFillable }

        beginEvents()
        writeNew(taker.number)
        book.balances[taker.heldBalance].available -= taker.hold
        book.balances[taker.heldBalance].held += taker.hold
        writeHold(taker.number, taker.side.heldAsset, taker.hold)
        let stop = match(&taker, in: market)
        settle(taker, stop, in: market)
    }

    static var openOrderLimit: Int { 1 << 30 }

    /// What is asked for in the market's numbers, if the market has such orders.
    private mutating func terms(
        of request: EngineCommandView.OrderRequestView, in market: UnsafeMutablePointer<MarketState>
    ) throws(RejectReason) -> (limit: Int64, lots: Int64) {
        let isMarketBuy = request.kind == .market && request.side == .buy
        switch request.kind {
        case .limit:
            guard request.price != nil, request.quantity != nil, request.budget == nil else { throw .invalidOrder }
        case .market:
            guard request.price == nil, (request.budget != nil) == isMarketBuy,
                request.timeInForce == .immediateOrCancel || request.timeInForce == .fillOrKill,
                request.quantity != nil || isMarketBuy && request.timeInForce != .fillOrKill
            else { throw .invalidOrder }
        }
        let limit: Int64
        if let price = request.price {
            limit = try market.pointee.rules.ticks(price)
        } else {
            limit = request.side == .buy ? market.pointee.rules.tickMax : 0
        }
        let lots: Int64
        if let quantity = request.quantity {
            lots = try market.pointee.rules.lots(quantity)
        } else {
            lots = market.pointee.rules.lotsMax
        }
        return (limit, lots)
    }

    /// Finds what the order may cost, and that its owner has it.
    private mutating func fund(
        _ taker: inout IncomingOrder, _ request: EngineCommandView.OrderRequestView,
        in market: UnsafeMutablePointer<MarketState>
    ) throws(RejectReason) {
        if taker.hasBudget {
            guard let budget = request.budget, budget.isPositive,
                let amount = budget.amount(decimals: market.pointee.rules.quoteDecimals)
            else { throw .invalidAmount }
            taker.hold = amount.units
        } else {
            guard let need = market.need(taker.side, taker.limit, taker.lots, rate: taker.holdRate) else {
                throw .amountOverflow
            }
            taker.hold = need
        }
        guard taker.heldBalance >= 0, book.balances[taker.heldBalance].available >= taker.hold else {
            throw .insufficientFunds
        }
    }

    /// Rebates are paid by the house; somewhere its debt has to end.
    mutating func requireSolventHouse(in market: UnsafeMutablePointer<MarketState>) throws(RejectReason) {
        guard market.pointee.rules.paysRebates else { return }
        guard totals[market.pointee.base].house >= -ListedAsset.unitsMax,
            totals[market.pointee.quote].house >= -ListedAsset.unitsMax
        else { throw .houseInDebt }
    }

    /// Whether an order would trade at once.
    mutating func meets(_ side: OrderSide, _ limit: Int64, in market: UnsafeMutablePointer<MarketState>) -> Bool {
        let best = side == .buy ? market.pointee.asks.best : market.pointee.bids.best
        guard best >= 0 else { return false }
        return side == .buy ? levels[best].tick <= limit : levels[best].tick >= limit
    }
}
