import TradeModel

/// Orders go into the book, and out of it.
extension MatchingEngine {
    /// Puts an order that lies in its place behind all others at its price.
    ///
    /// - Parameter level: where that is; -1 where it has to be found, or made.
    @inline(__always) mutating func rest(_ place: Int32, at level: Int32, in market: UnsafeMutablePointer<MarketState>)
    {
        let order = orders.base + Int(place)
        let number: Int32
        if level >= 0 {
            number = level
        } else if order.pointee.side == .buy {
            number = findLevel(order.pointee.tick, &market.pointee.bids)
        } else {
            number = findLevel(order.pointee.tick, &market.pointee.asks)
        }
        let level = levels.base + Int(number)
        let last = level.pointee.last
        order.pointee.level = number
        order.pointee.previous = last
        if last >= 0 { orders[last].next = place } else { level.pointee.first = place }
        level.pointee.last = place
        level.pointee.total += Int128(order.pointee.remaining)
        level.pointee.count += 1
        orderIndex.insert(spread(order.pointee.number), UInt32(bitPattern: place))
        if order.pointee.client != .none { clientIDs.open(order.pointee.client, place) }
    }

    private mutating func findLevel(_ tick: Int64, _ side: inout BookSide) -> Int32 {
        if side.best >= 0, levels[side.best].tick == tick { return side.best }
        var isNew = false
        let level = side.prices.value(at: tick) { node in
            isNew = true
            return levels.insert(PriceLevel(tick: tick, node: node))
        }
        if isNew, side.best < 0 || side.isBetter(tick, than: levels[side.best].tick) { side.best = level }
        return level
    }

    /// Prepares for what ends an order, or trades with it: all its neighbours are waited for at once.
    @inline(__always) mutating func bringNear(_ place: Int32) {
        let order = orders.base + Int(place)
        book.balances.bringNear(order.pointee.heldBalance)
        book.accounts.bringNear(order.pointee.account)
        levels.bringNear(order.pointee.level)
        orders.bringNear(order.pointee.previous)
        orders.bringNear(order.pointee.next)
        clientIDs.bringNear(order.pointee.client)
        orderIndex.bringNear(spread(order.pointee.number))
    }

    /// Takes an order out of the line and out of what finds it; its owner's id of it stays for the caller to settle.
    mutating func remove(_ place: Int32, from market: UnsafeMutablePointer<MarketState>) {
        let order = orders.base + Int(place)
        let level = levels.base + Int(order.pointee.level)
        let (previous, next) = (order.pointee.previous, order.pointee.next)
        if previous >= 0 { orders[previous].next = next } else { level.pointee.first = next }
        if next >= 0 { orders[next].previous = previous } else { level.pointee.last = previous }
        level.pointee.total -= Int128(order.pointee.remaining)
        level.pointee.count -= 1
        if level.pointee.first < 0 {
            if order.pointee.side == .buy {
                removeLevel(order.pointee.level, &market.pointee.bids)
            } else {
                removeLevel(order.pointee.level, &market.pointee.asks)
            }
        }
        orderIndex.remove(spread(order.pointee.number), UInt32(bitPattern: place))
        orders.remove(place)
    }

    private mutating func removeLevel(_ level: Int32, _ side: inout BookSide) {
        side.prices.remove(levels[level].tick, from: levels[level].node)
        if side.best == level { side.findBest() }
        levels.remove(level)
    }

    /// Ends an order of the book: it is taken out, and what is still held for it is its owner's again.
    ///
    /// - Parameter own: whether it is the command's account's.
    mutating func end(
        _ place: Int32, in market: UnsafeMutablePointer<MarketState>, _ state: OrderState, _ cause: OrderStateCause,
        own: Bool
    ) {
        let order = orders.base + Int(place)
        let account = own ? nil : order.pointee.account
        writeState(
            order.pointee.number, account: account, state, cause,
            remaining: market.pointee.rules.baseUnits(order.pointee.remaining))
        release(order.pointee.hold, order.pointee.number, order.pointee.heldBalance, account, order.pointee.side)
        if order.pointee.client != .none { clientIDs.end(order.pointee.client, place) }
        remove(place, from: market)
    }

    /// Lets held money be available again.
    mutating func release(_ amount: Int128, _ order: UInt64, _ balance: Int32, _ account: Int32?, _ side: OrderSide) {
        guard amount != 0 else { return }
        book.balances[balance].held -= amount
        book.balances[balance].available += amount
        writeRelease(order, account: account, side.heldAsset, amount)
    }

    /// The open order that an account calls so.
    @inline(__always) func findOrder(
        _ account: UnsafeRawBufferPointer, _ reference: EngineCommandView.OrderReferenceView
    ) throws(RejectReason) -> Int32 {
        switch reference {
        case .number(let number):
            let found = orderIndex.find(spread(number)) { orders.base[Int($0)].number == number }
            // An order that is another's is as unknown as one that there never was.
            guard let found, isSame(book.text(orders.base[Int(found)].account), account) else {
                throw book.find(account) == nil ? .unknownAccount : .unknownOrder
            }
            return Int32(bitPattern: found)
        case .clientOrderID(let text):
            guard case .open(let place)? = clientIDs.find(RememberedIDs.key(account, text), orders) else {
                throw book.find(account) == nil ? .unknownAccount : .unknownOrder
            }
            return place
        }
    }
}

extension OrderSide {
    /// What is held for an order: a buyer's quote, a seller's base.
    var heldAsset: MarketAsset { self == .buy ? .quote : .base }
}

extension BookSide {
    func isBetter(_ tick: Int64, than other: Int64) -> Bool { side == .buy ? tick > other : tick < other }
}
