import TradeFeed

// What is told of markets, as JSON. Numbers are texts, so that no reader rounds them.

/// A trade, without those who traded.
struct PublicTrade: Encodable {
    let type = MarketMessage.Kind.trade.rawValue
    var market: String
    /// The record of the engine's stream in which it stands.
    var sequence: String
    var trade: String
    var price: String
    var quantity: String
    var takerSide: String
    var time: String

    enum CodingKeys: String, CodingKey {
        case type, market, sequence, trade, price, quantity, time
        case takerSide = "taker_side"
    }
}

/// The best levels of a book, or those of them that changed.
struct PublicBook: Encodable {
    let type = MarketMessage.Kind.book.rawValue
    var market: String
    /// The book is as it was behind this record.
    var sequence: String
    /// The sequence of the message that this one changes; left out where this one has all levels.
    var previous: String?
    /// Price and quantity, the best first; a quantity of zero takes the level away.
    var bids: [[String]]
    var asks: [[String]]
}

/// A market at a glance. What is counted, is counted from `since` on.
struct Ticker: Encodable {
    let type = MarketMessage.Kind.ticker.rawValue
    var market: String
    var sequence: String
    /// Midnight (UTC), or when it was begun to count, if that was later.
    var since: String
    var open: String
    var high: String
    var low: String
    var last: String
    var volume: String
    var quoteVolume: String
    var trades: String

    enum CodingKeys: String, CodingKey {
        case type, market, sequence, since, open, high, low, last, volume, trades
        case quoteVolume = "quote_volume"
    }
}

extension MarketMessage {
    init(_ trade: PublicTrade) { self.init(.trade, of: trade.market, trade) }
    init(_ book: PublicBook) { self.init(.book, of: book.market, book) }
    init(_ ticker: Ticker) { self.init(.ticker, of: ticker.market, ticker) }
}
