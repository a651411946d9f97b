/// What an engine says was traded, with every number exactly as written.
public struct Trade: Hashable, Sendable {
    public var id: Identifier
    public var market: MarketSymbol
    public var price: DecimalNumber
    public var quantity: DecimalNumber
    public var buyer: Identifier
    public var seller: Identifier
    public var buyOrder: Identifier?
    public var sellOrder: Identifier?
    public var taker: Side?
    public var buyerFee: DecimalNumber
    public var sellerFee: DecimalNumber
    public var executedAt: Timestamp?
    /// The engine that made it, and its place in that engine's output.
    public var stream: Identifier?
    public var sequence: Int64?

    public init(
        id: Identifier, market: MarketSymbol, price: DecimalNumber, quantity: DecimalNumber,
        buyer: Identifier, seller: Identifier, buyOrder: Identifier? = nil, sellOrder: Identifier? = nil,
        taker: Side? = nil, buyerFee: DecimalNumber = .zero, sellerFee: DecimalNumber = .zero,
        executedAt: Timestamp? = nil, stream: Identifier? = nil, sequence: Int64? = nil
    ) {
        self.id = id
        self.market = market
        self.price = price
        self.quantity = quantity
        self.buyer = buyer
        self.seller = seller
        self.buyOrder = buyOrder
        self.sellOrder = sellOrder
        self.taker = taker
        self.buyerFee = buyerFee
        self.sellerFee = sellerFee
        self.executedAt = executedAt
        self.stream = stream
        self.sequence = sequence
    }

    public var key: TradeKey { TradeKey(market: market, id: id) }

    /// Whether two messages tell of the same trade.
    ///
    /// What moves money must be equal. What a sender may leave out (order ids, taker, time) is compared
    /// where both wrote it. The envelope, stream and sequence, is not content.
    public func hasSameContent(as other: Trade) -> Bool {
        func agree<Value: Equatable>(_ left: Value?, _ right: Value?) -> Bool {
            left == nil || right == nil || left == right
        }
        return key == other.key && price == other.price && quantity == other.quantity
            && buyer == other.buyer && seller == other.seller
            && buyerFee == other.buyerFee && sellerFee == other.sellerFee
            && agree(buyOrder, other.buyOrder) && agree(sellOrder, other.sellOrder)
            && agree(taker, other.taker) && agree(executedAt, other.executedAt)
    }
}

/// What makes a trade one trade: its market and its id there.
public struct TradeKey: Hashable, Sendable, Comparable, CustomStringConvertible {
    public let market: MarketSymbol
    public let id: Identifier

    public init(market: MarketSymbol, id: Identifier) {
        self.market = market
        self.id = id
    }

    public var description: String { "\(market):\(id)" }

    public static func < (left: TradeKey, right: TradeKey) -> Bool {
        left.market == right.market ? left.id < right.id : left.market < right.market
    }
}

public enum Side: String, Sendable, CaseIterable {
    case buyer, seller
}
