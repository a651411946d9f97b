import TradeModel

/// What waits in the books, order by order.
extension MatchingEngine {
    /// The order that an account calls so; nil where none of its open ones is.
    public func openOrder(of account: Identifier, _ reference: OrderReference) -> OpenOrder? {
        var id = account.text
        let place = id.withUTF8 { id -> Int32? in
            let id = UnsafeRawBufferPointer(id)
            switch reference {
            case .number(let number): return try? findOrder(id, .number(number))
            case .clientOrderID(let key):
                var key = key.text
                return key.withUTF8 { try? findOrder(id, .clientOrderID(UnsafeRawBufferPointer($0))) }
            }
        }
        return place.map { openOrder(at: $0) }
    }

    /// Whether an account's own id is remembered as that of an order which has ended.
    public func hasEnded(_ key: Identifier, of account: Identifier) -> Bool {
        var (id, key) = (account.text, key.text)
        return id.withUTF8 { id in
            key.withUTF8 { key in
                let remembered = RememberedIDs.key(UnsafeRawBufferPointer(id), UnsafeRawBufferPointer(key))
                if case .ended? = clientIDs.find(remembered, orders) { return true }
                return false
            }
        }
    }

    public func isKnown(_ account: Identifier) -> Bool {
        var id = account.text
        return id.withUTF8 { book.find(UnsafeRawBufferPointer($0)) } != nil
    }

    /// Looks at some of the places at which orders lie, and gives those of an account: nothing finds them by account,
    /// so that an order costs no more than it must.
    ///
    /// - Parameters:
    ///   - start: the first place to look at.
    ///   - placeCountMax: so many are looked at, and `next` says where to go on; nil when there are no more.
    public func openOrders(
        of account: Identifier, in market: MarketSymbol?, after number: UInt64, from start: Int, placeCountMax: Int,
        countMax: Int
    ) -> (orders: [OpenOrder], next: Int?) {
        var id = account.text
        guard let owner = id.withUTF8({ book.find(UnsafeRawBufferPointer($0)) }) else { return ([], nil) }
        var wanted: Int32?
        if let market {
            var symbol = market.text
            guard let found = symbol.withUTF8({ markets.find(UnsafeRawBufferPointer($0)) }) else { return ([], nil) }
            wanted = found
        }
        let first = min(max(0, start), orders.high)
        let end = first + min(placeCountMax, orders.high - first)
        var found: [OpenOrder] = []
        for place in first..<end {
            let order = orders.base + place
            guard order.pointee.account == owner, order.pointee.number > number,
                wanted.map({ $0 == order.pointee.market }) ?? true, isTaken(place)
            else { continue }
            found.append(openOrder(at: Int32(place)))
            if found.count == countMax { return (found, place + 1 < orders.high ? place + 1 : nil) }
        }
        return (found, end < orders.high ? end : nil)
    }

    /// Whether an order lies there: what was taken out leaves its bytes behind, but is not found any more.
    private func isTaken(_ place: Int) -> Bool {
        let number = orders.base[place].number
        return orderIndex.find(spread(number)) { orders.base[Int($0)].number == number } == UInt32(place)
    }

    private func openOrder(at place: Int32) -> OpenOrder {
        let order = orders[place]
        let market = markets[order.market]
        let rules = market.pointee.rules
        return OpenOrder(
            number: order.number,
            account: Identifier(stored: String(decoding: book.text(order.account), as: UTF8.self)),
            market: market.pointee.symbol, side: order.side, isPostOnly: order.isPostOnly,
            price: rules.priceUnits(order.tick), quantity: rules.baseUnits(order.lots),
            remaining: rules.baseUnits(order.remaining), held: order.hold)
    }
}

/// An order that waits in a book. Its price has the decimals of the market's tick; its quantities are in the smallest
/// unit of base, what is held for it is in that of base where it sells, and of quote where it buys.
public struct OpenOrder: Hashable, Sendable {
    public var number: UInt64
    public var account: Identifier
    public var market: MarketSymbol
    public var side: OrderSide
    public var isPostOnly: Bool
    public var price: Int128
    /// The whole of it, and what is left.
    public var quantity: Int128
    public var remaining: Int128
    public var held: Int128
}
