import TradeModel

extension MatchingEngine {
    /// Trades an order with the other side of the book, best price first and at each price the oldest order first.
    mutating func match(
        _ taker: inout IncomingOrder, in market: UnsafeMutablePointer<MarketState>
    ) -> IncomingOrder.Stop {
        var matchCount = 0
        while taker.remaining > 0 {
            let best = taker.side == .buy ? market.pointee.asks.best : market.pointee.bids.best
            guard best >= 0 else { return .done }
            let tick = levels[best].tick
            guard taker.side == .buy ? tick <= taker.limit : tick >= taker.limit else { return .done }
            guard matchCount < EngineOutput.matchCountMax else { return .matchLimit }
            matchCount += 1
            let place = levels[best].first
            bringNear(place)
            if orders[place].account == taker.account, market.pointee.rules.selfTradeRule != .allow {
                if market.pointee.rules.selfTradeRule != .cancelNewest {
                    end(place, in: market, .cancelled, .selfTrade, own: true)
                }
                if market.pointee.rules.selfTradeRule != .cancelOldest { return .selfTrade }
                continue
            }
            guard fill(&taker, place, tick, in: market) else { return .budgetSpent }
        }
        return .done
    }

    /// Trades as much as both orders want, at the price of the one in the book; returns whether the budget sufficed.
    private mutating func fill(
        _ taker: inout IncomingOrder, _ place: Int32, _ tick: Int64, in market: UnsafeMutablePointer<MarketState>
    ) -> Bool {
        let maker = orders.base + Int(place)
        var lots = min(taker.remaining, maker.pointee.remaining)
        if taker.hasBudget {
            lots = market.pointee.rules.affordableLots(lots, tick, rate: taker.rates.taker, budget: taker.hold)
            if lots == 0 { return false }
        }
        // A limit order's hold was computed at its own price for its whole quantity; this is less, so that it fits.
        guard let quote = market.pointee.rules.quote(tick, lots) else {
            preconditionFailure("a hold is never less than its fills")
        }
        let quantity = market.pointee.rules.baseUnits(lots)

        let takerBuys = taker.side == .buy
        let buyerRate = takerBuys ? taker.rates.taker : maker.pointee.makerRate
        let sellerRate = takerBuys ? maker.pointee.makerRate : taker.rates.taker
        let sellerFee = fee(quote, sellerRate)
        let paysInBase = market.pointee.rules.feeRule == .received
        let buyerFee = fee(paysInBase ? quantity : quote, buyerRate)
        // In quote the buyer's fee comes on top, from the hold; a rebate is paid out.
        let spent = paysInBase || buyerFee < 0 ? quote : quote + buyerFee
        let rebate = paysInBase || buyerFee >= 0 ? 0 : -buyerFee
        let received = paysInBase ? quantity - buyerFee : quantity
        totals[paysInBase ? market.pointee.base : market.pointee.quote].house += buyerFee
        totals[market.pointee.quote].house += sellerFee

        if taker.receiveBalance < 0 {
            taker.receiveBalance = book.openBalance(
                taker.account, takerBuys ? market.pointee.base : market.pointee.quote)
        }
        if maker.pointee.receiveBalance < 0 {
            maker.pointee.receiveBalance = book.openBalance(
                maker.pointee.account, takerBuys ? market.pointee.quote : market.pointee.base)
        }
        let balances = book.balances.base
        let buyerQuote = balances + Int(takerBuys ? taker.heldBalance : maker.pointee.heldBalance)
        let buyerBase = balances + Int(takerBuys ? taker.receiveBalance : maker.pointee.receiveBalance)
        let sellerBase = balances + Int(takerBuys ? maker.pointee.heldBalance : taker.heldBalance)
        let sellerQuote = balances + Int(takerBuys ? maker.pointee.receiveBalance : taker.receiveBalance)
        buyerQuote.pointee.held -= spent
        buyerQuote.pointee.available += rebate
        buyerBase.pointee.available += received
        sellerBase.pointee.held -= quantity
        sellerQuote.pointee.available += quote - sellerFee

        taker.hold -= takerBuys ? spent : quantity
        taker.remaining -= lots
        taker.hasTraded = true
        maker.pointee.hold -= takerBuys ? quantity : spent
        maker.pointee.remaining -= lots
        levels[maker.pointee.level].total -= Int128(lots)

        tradeCount += 1
        let own = maker.pointee.account == taker.account
        var cursor = beginEvent(EngineOutput.EventKind.trade, tradeCount)
        cursor.compact(maker.pointee.number)
        book.writeID(of: own ? nil : maker.pointee.account, to: &cursor)
        cursor.compact(taker.number)
        cursor.byte(taker.side.rawValue)
        cursor.amount(market.pointee.rules.priceUnits(tick))
        cursor.amount(quantity)
        cursor.amount(quote)
        cursor.signedCompact(takerBuys ? sellerFee : buyerFee)
        cursor.signedCompact(takerBuys ? buyerFee : sellerFee)
        endEvent(cursor)

        if maker.pointee.remaining == 0 {
            end(place, in: market, .filled, .none, own: own)
        } else {
            writeState(
                maker.pointee.number, account: own ? nil : maker.pointee.account, .partiallyFilled, .none,
                remaining: market.pointee.rules.baseUnits(maker.pointee.remaining))
            let excess = maker.pointee.hold - Self.needed(market, maker)
            maker.pointee.hold -= excess
            release(
                excess, maker.pointee.number, maker.pointee.heldBalance, own ? nil : maker.pointee.account,
                maker.pointee.side)
        }
        return true
    }

    /// What an order of the book needs for the rest of it.
    private static func needed(
        _ market: UnsafeMutablePointer<MarketState>, _ order: UnsafeMutablePointer<RestingOrder>
    ) -> Int128 {
        guard
            let need = market.need(
                order.pointee.side, order.pointee.tick, order.pointee.remaining, rate: order.pointee.makerRate)
        else { preconditionFailure("less of an order needs less") }
        return need
    }

    /// What becomes of an order that has met all it could: it waits, or it ends and the rest of its hold is released.
    mutating func settle(
        _ taker: IncomingOrder, _ stop: IncomingOrder.Stop, in market: UnsafeMutablePointer<MarketState>
    ) {
        let isWaiting = taker.timeInForce == .goodTillCancelled || taker.timeInForce == .postOnly
        let end: (OrderState, OrderStateCause)?
        switch stop {
        case _ where taker.remaining == 0: end = (.filled, .none)
        case .selfTrade: end = (.cancelled, .selfTrade)
        case .matchLimit: end = (.expired, .matchLimit)
        case .budgetSpent where taker.isBoundByBudgetAlone && taker.hasTraded: end = (.filled, .none)
        case .budgetSpent: end = (.expired, .unfilled)
        case .done: end = isWaiting ? nil : (.expired, .unfilled)
        }
        if let (state, cause) = end {
            let left = taker.isBoundByBudgetAlone ? 0 : market.pointee.rules.baseUnits(taker.remaining)
            writeState(taker.number, account: nil, state, cause, remaining: left)
            release(taker.hold, taker.number, taker.heldBalance, nil, taker.side)
            if taker.client != .none { clientIDs.end(taker.client) }
            return
        }
        let place = orders.insert(
            RestingOrder(
                number: taker.number, client: taker.client, account: taker.account, market: market.pointee.number,
                side: taker.side, isPostOnly: taker.timeInForce == .postOnly, makerRate: taker.rates.maker,
                heldBalance: taker.heldBalance, receiveBalance: taker.receiveBalance, tick: taker.limit,
                lots: taker.lots, remaining: taker.remaining, hold: taker.hold))
        if taker.hasTraded {
            writeState(
                taker.number, account: nil, .partiallyFilled, .none,
                remaining: market.pointee.rules.baseUnits(taker.remaining))
        }
        // What it holds is what it needs, unless it traded, or would have paid more as a taker than it will now.
        if taker.hasTraded || taker.holdRate != taker.rates.maker {
            let order = orders.base + Int(place)
            let excess = order.pointee.hold - Self.needed(market, order)
            order.pointee.hold -= excess
            release(excess, taker.number, taker.heldBalance, nil, taker.side)
        }
        rest(place, at: taker.level, in: market)
    }

    /// Whether an order that must be filled whole would be, decided without touching anything.
    mutating func isFillable(_ taker: IncomingOrder, in market: UnsafeMutablePointer<MarketState>) -> Bool {
        // First by whole prices, which refuses most of those that are not.
        var total: Int128 = 0
        var level = taker.side == .buy ? market.pointee.asks.best : market.pointee.bids.best
        while level >= 0, total < Int128(taker.remaining), isMet(levels[level].tick, by: taker) {
            total += levels[level].total
            level = nextLevel(level, taker.side.opposite, in: market)
        }
        guard total >= Int128(taker.remaining) else { return false }
        return isFillableOrderByOrder(taker, in: market)
    }

    private mutating func isFillableOrderByOrder(_ taker: IncomingOrder, in market: UnsafeMutablePointer<MarketState>)
        -> Bool
    {
        var remaining = taker.remaining
        var budget = taker.hold
        var matchCount = 0
        var level = taker.side == .buy ? market.pointee.asks.best : market.pointee.bids.best
        while level >= 0, isMet(levels[level].tick, by: taker) {
            let tick = levels[level].tick
            var place = levels[level].first
            while place >= 0 {
                let maker = orders[place]
                place = maker.next
                guard matchCount < EngineOutput.matchCountMax else { return false }
                matchCount += 1
                if maker.account == taker.account, market.pointee.rules.selfTradeRule != .allow {
                    guard market.pointee.rules.selfTradeRule == .cancelOldest else { return false }
                    continue
                }
                let lots = min(remaining, maker.remaining)
                if taker.hasBudget {
                    guard let cost = market.pointee.rules.cost(tick, lots, rate: taker.rates.taker), cost <= budget
                    else {
                        return false
                    }
                    budget -= cost
                }
                remaining -= lots
                if remaining == 0 { return true }
            }
            level = nextLevel(level, taker.side.opposite, in: market)
        }
        return false
    }

    private func isMet(_ tick: Int64, by taker: IncomingOrder) -> Bool {
        taker.side == .buy ? tick <= taker.limit : tick >= taker.limit
    }

    /// The level behind one, or -1.
    func nextLevel(_ level: Int32, _ side: OrderSide, in market: UnsafeMutablePointer<MarketState>) -> Int32 {
        let tick = levels[level].tick
        return (side == .buy ? market.pointee.bids.next(after: tick) : market.pointee.asks.next(after: tick)) ?? -1
    }
}

extension MarketRules {
    /// What a buyer pays for so many lots; nil where nobody could.
    func cost(_ tick: Int64, _ lots: Int64, rate: Int32) -> Int128? {
        guard let quote = quote(tick, lots), quote <= Amount.maximum.units else { return nil }
        return feeRule == .quote && rate > 0 ? quote + fee(quote, rate) : quote
    }

    /// The most of so many lots that a budget buys.
    func affordableLots(_ lots: Int64, _ tick: Int64, rate: Int32, budget: Int128) -> Int64 {
        func isAffordable(_ lots: Int64) -> Bool { cost(tick, lots, rate: rate).map { $0 <= budget } ?? false }
        if isAffordable(lots) { return lots }
        // Costs rise with the quantity, so that halving finds the border.
        var (enough, tooMuch) = (Int64(0), lots)
        while tooMuch - enough > 1 {
            let middle = enough + (tooMuch - enough) / 2
            if isAffordable(middle) { enough = middle } else { tooMuch = middle }
        }
        return enough
    }
}
