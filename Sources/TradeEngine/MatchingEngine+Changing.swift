import TradeModel

/// What owners do with orders that are in the book.
extension MatchingEngine {
    mutating func cancel(_ cancellation: EngineCommandView.CancellationView) throws(RejectReason) {
        let place = try findOrder(cancellation.account, cancellation.order)
        bringNear(place)
        let market = markets[orders[place].market]
        subject = market
        beginEvents()
        end(place, in: market, .cancelled, .asked, own: true)
    }

    mutating func amend(_ amendment: EngineCommandView.AmendmentView) throws(RejectReason) {
        let place = try findOrder(amendment.account, amendment.order)
        let order = orders[place]
        let market = markets[order.market]
        subject = market
        guard !market.pointee.isHalted else { throw .marketHalted }
        let tick: Int64
        if let price = amendment.price { tick = try market.pointee.rules.ticks(price) } else { tick = order.tick }
        let lots: Int64
        if let quantity = amendment.quantity {
            lots = try market.pointee.rules.lots(quantity)
        } else {
            lots = order.lots
        }
        guard tick != order.tick || lots != order.lots else { throw .nothingToAmend }
        let filled = order.lots - order.remaining
        guard lots > filled else { throw .quantityAlreadyFilled }
        let terms = AmendedTerms(tick: tick, lots: lots, remaining: lots - filled)
        if tick == order.tick, lots < order.lots {
            shrink(place, to: terms, in: market)
        } else {
            try replace(place, by: terms, in: market)
        }
    }

    /// Only less is wanted: the order keeps its place, and the terms under which it came.
    private mutating func shrink(
        _ place: Int32, to terms: AmendedTerms, in market: UnsafeMutablePointer<MarketState>
    ) {
        let order = orders.base + Int(place)
        guard
            let need = market.need(
                order.pointee.side, terms.tick, terms.remaining, rate: order.pointee.makerRate)
        else { preconditionFailure("less of an order needs less") }
        levels[order.pointee.level].total -= Int128(order.pointee.remaining - terms.remaining)
        order.pointee.lots = terms.lots
        order.pointee.remaining = terms.remaining
        beginEvents()
        writeAmended(order.pointee.number, market, terms, keepsPriority: true)
        let excess = order.pointee.hold - need
        order.pointee.hold = need
        release(excess, order.pointee.number, order.pointee.heldBalance, nil, order.pointee.side)
    }

    /// The order is taken out and comes anew, under its number and with the fees that are its owner's now.
    private mutating func replace(
        _ place: Int32, by terms: AmendedTerms, in market: UnsafeMutablePointer<MarketState>
    ) throws(RejectReason) {
        let order = orders[place]
        try requireSolventHouse(in: market)
        var taker = IncomingOrder(
            number: order.number, client: order.client, account: order.account, side: order.side,
            timeInForce: order.isPostOnly ? .postOnly : .goodTillCancelled, limit: terms.tick, lots: terms.lots,
            remaining: terms.remaining, rates: market.pointee.fees(tier: book.accounts[order.account].tier), hold: 0,
            heldBalance: order.heldBalance, receiveBalance: order.receiveBalance)
        guard let need = market.need(taker.side, terms.tick, terms.remaining, rate: taker.holdRate) else {
            throw .amountOverflow
        }
        taker.hold = need
        let more = need - order.hold
        guard more <= book.balances[order.heldBalance].available else { throw .insufficientFunds }
        if order.isPostOnly, meets(order.side, terms.tick, in: market) { throw .postOnlyWouldTake }

        beginEvents()
        if order.client != .none { clientIDs.close(order.client, place) }
        remove(place, from: market)
        writeAmended(order.number, market, terms, keepsPriority: false)
        if more > 0 {
            book.balances[order.heldBalance].available -= more
            book.balances[order.heldBalance].held += more
            writeHold(order.number, order.side.heldAsset, more)
        } else {
            release(-more, order.number, order.heldBalance, nil, order.side)
        }
        let stop = match(&taker, in: market)
        settle(taker, stop, in: market)
    }
}
