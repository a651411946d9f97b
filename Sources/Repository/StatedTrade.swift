import TradeModel

/// What somebody else says of a trade; nil is what they do not say.
public struct StatedTrade: Sendable {
    /// Where they say it: the line of a file, or the record of a stream.
    public var place: Int64
    public var market: MarketSymbol
    public var id: Identifier
    public var price: DecimalNumber?
    public var quantity: DecimalNumber?
    public var buyer: Identifier?
    public var seller: Identifier?
    public var buyerFee: DecimalNumber?
    public var sellerFee: DecimalNumber?
    public var buyOrder: Identifier?
    public var sellOrder: Identifier?
    public var taker: Side?
    public var executedAt: Timestamp?
    /// When it was settled, by their books.
    public var committedAt: Timestamp?
    public var stream: Identifier?
    public var sequence: Int64?

    public init(place: Int64, market: MarketSymbol, id: Identifier) {
        self.place = place
        self.market = market
        self.id = id
    }

    /// All that a message says.
    public init(_ trade: Trade, place: Int64) {
        self.init(place: place, market: trade.market, id: trade.id)
        (price, quantity, buyer, seller) = (trade.price, trade.quantity, trade.buyer, trade.seller)
        (buyerFee, sellerFee) = (trade.buyerFee, trade.sellerFee)
        (buyOrder, sellOrder, taker) = (trade.buyOrder, trade.sellOrder, trade.taker)
        (executedAt, stream, sequence) = (trade.executedAt, trade.stream, trade.sequence)
    }

    /// The trade as a message would bring it; nil where something is not said that decides what moves. A message in
    /// which no fees stand says that there are none; a table without such columns says nothing of them.
    public var trade: Trade? {
        guard let price, let quantity, let buyer, let seller, let buyerFee, let sellerFee else { return nil }
        return Trade(
            id: id, market: market, price: price, quantity: quantity, buyer: buyer, seller: seller,
            buyOrder: buyOrder, sellOrder: sellOrder, taker: taker, buyerFee: buyerFee,
            sellerFee: sellerFee, executedAt: executedAt, stream: stream, sequence: sequence)
    }
}
