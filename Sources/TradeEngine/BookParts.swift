import TradeModel

/// An order in the book. Its place in the line at its price is kept by its neighbours' numbers.
struct RestingOrder: BitwiseCopyable {
    var number: UInt64
    var client: ClientKey
    var account: Int32
    var market: Int32
    var side: OrderSide
    var isPostOnly: Bool
    /// What its trades cost its owner from here on, in millionths.
    var makerRate: Int32
    /// Where its owner's balances are: of the asset that is held, and of the one that it gets (-1 until it got some).
    var heldBalance: Int32
    var receiveBalance: Int32
    var tick: Int64
    /// The whole quantity, and what is left of it.
    var lots: Int64
    var remaining: Int64
    var hold: Int128
    var level = Int32(-1)
    var previous = Int32(-1)
    var next = Int32(-1)
}

/// The orders at one price, the oldest first.
struct PriceLevel: BitwiseCopyable {
    var tick: Int64
    /// Where it stands among the prices of its side.
    var node: Int32
    var total: Int128 = 0
    var first = Int32(-1)
    var last = Int32(-1)
    var count: Int32 = 0
}

/// One side of a book: its prices, and which of them comes first.
struct BookSide: ~Copyable {
    let side: OrderSide
    var prices: PriceTree
    /// The best price's level; -1 while the side is empty.
    var best = Int32(-1)

    init(_ side: OrderSide, tickMax: Int64) {
        self.side = side
        prices = PriceTree(tickMax: tickMax)
    }

    /// The level that comes after the one at a tick, going from the best to the worst.
    func next(after tick: Int64) -> Int32? {
        side == .buy ? prices.next(below: tick) : prices.next(above: tick)
    }

    /// The level at a tick; -1 where nobody waits.
    @inline(__always) func level(at tick: Int64) -> Int32 { prices.find(tick) ?? -1 }

    mutating func findBest() {
        best = (side == .buy ? prices.highest : prices.lowest) ?? -1
    }
}

/// What stands for an owner's own id of an order; nothing where it has none.
struct ClientKey: BitwiseCopyable, Equatable {
    var low: UInt64
    var high: UInt64

    static let none = ClientKey(low: 0, high: 0)
}
