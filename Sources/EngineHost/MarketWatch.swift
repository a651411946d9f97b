import TradeEngine
import TradeFeed
import TradeModel

/// What everybody may know of markets, made from an engine's records and its books. It knows no sockets and no clock.
struct MarketWatch {
    private struct Day {
        let number: Int64
        let since: Timestamp
        var open: Amount
        var high: Amount
        var low: Amount
        var last: Amount
        var volume = Amount.zero
        var quoteVolume = Amount.zero
        var tradeCount = 0
        var sequence: UInt64 = 0
        var isTold = false
    }

    private struct PublishedBook {
        var sequence: Int64
        var bids: [EngineAnswer.Level]
        var asks: [EngineAnswer.Level]
    }

    private let begin: Timestamp
    private var days: [MarketSymbol: (scale: MarketScale, day: Day)] = [:]
    private var books: [MarketSymbol: PublishedBook] = [:]
    /// Markets whose books may be others than those published.
    private(set) var touched: Set<MarketSymbol>

    init(markets: [MarketSymbol], since begin: Timestamp) {
        self.begin = begin
        touched = Set(markets)
    }

    var markets: [MarketSymbol] { Array(books.keys) }

    /// The trades of a record, as everybody may know of them.
    mutating func take(_ record: EngineOutput) -> [MarketMessage] {
        guard record.rejection == nil, let scale = record.market else { return [] }
        touched.insert(scale.symbol)
        return record.events.compactMap { event -> MarketMessage? in
            guard case .trade(let trade) = event else { return nil }
            count(trade, scale, record)
            return MarketMessage(
                PublicTrade(
                    market: scale.symbol.text, sequence: "\(record.sequence)", trade: "\(trade.number)",
                    price: trade.price.text(decimals: scale.priceDecimals),
                    quantity: trade.quantity.text(decimals: scale.baseDecimals), takerSide: trade.takerSide.name,
                    time: record.command.time.description))
        }
    }

    private mutating func count(_ trade: EngineTrade, _ scale: MarketScale, _ record: EngineOutput) {
        let microsecondsOfDay: Int64 = 86_400_000_000
        let number = record.command.time.microseconds / microsecondsOfDay
        var day =
            days[scale.symbol].flatMap { $0.day.number == number ? $0.day : nil }
            ?? Day(
                number: number, since: max(begin, Timestamp(microseconds: number * microsecondsOfDay)),
                open: trade.price, high: trade.price, low: trade.price, last: trade.price)
        day.high = max(day.high, trade.price)
        day.low = min(day.low, trade.price)
        day.last = trade.price
        day.volume = (try? day.volume.adding(trade.quantity)) ?? .maximum
        day.quoteVolume = (try? day.quoteVolume.adding(trade.quote)) ?? .maximum
        day.tradeCount += 1
        day.sequence = record.sequence
        day.isTold = false
        days[scale.symbol] = (scale, day)
    }

    /// What changed in a book since it was published last, or all of it; nil where nothing did.
    mutating func book(_ market: MarketSymbol, _ answer: EngineAnswer, whole: Bool) -> MarketMessage? {
        touched.remove(market)
        guard let book = answer.book else { return nil }
        let earlier = books[market]
        let told = whole ? nil : earlier
        let bids = Self.changes(from: told?.bids, to: book.bids)
        let asks = Self.changes(from: told?.asks, to: book.asks)
        guard told == nil || !(bids.isEmpty && asks.isEmpty) else { return nil }
        books[market] = PublishedBook(sequence: answer.sequence, bids: book.bids, asks: book.asks)
        return MarketMessage(
            PublicBook(
                market: market.text, sequence: "\(answer.sequence)", previous: told.map { "\($0.sequence)" },
                bids: bids, asks: asks))
    }

    private static func changes(from old: [EngineAnswer.Level]?, to new: [EngineAnswer.Level]) -> [[String]] {
        let before = Dictionary(uniqueKeysWithValues: (old ?? []).map { ($0.price, $0.quantity) })
        let prices = Set(new.map(\.price))
        let gone = (old ?? []).filter { !prices.contains($0.price) }.map { [$0.price, "0"] }
        return gone + new.filter { before[$0.price] != $0.quantity }.map { [$0.price, $0.quantity] }
    }

    /// The markets at a glance that traded since they were told of last.
    mutating func tickers() -> [MarketMessage] {
        days.keys.sorted { $0.text < $1.text }.compactMap { market -> MarketMessage? in
            guard let (scale, day) = days[market], !day.isTold else { return nil }
            days[market]!.day.isTold = true
            func price(_ amount: Amount) -> String { amount.text(decimals: scale.priceDecimals) }
            return MarketMessage(
                Ticker(
                    market: market.text, sequence: "\(day.sequence)", since: day.since.description,
                    open: price(day.open), high: price(day.high), low: price(day.low), last: price(day.last),
                    volume: day.volume.text(decimals: scale.baseDecimals),
                    quoteVolume: day.quoteVolume.text(decimals: scale.quoteDecimals), trades: "\(day.tradeCount)"))
        }
    }
}
