import ServiceKit
import TradeModel

/// Orders as an exchange would get them: some accounts make a market, quoting both sides around prices that wander, and
/// the others take what is offered. The same seed gives the same orders.
struct SimulatedMarket {
    /// A market, with prices counted in ticks and quantities in lots.
    struct Venue {
        let symbol: MarketSymbol
        let tick: DecimalNumber
        let lot: DecimalNumber
        /// Where the price begins.
        let ticks: Int

        init(_ symbol: String, tick: String, lot: String, ticks: Int) {
            self.symbol = MarketSymbol(symbol)!
            self.tick = DecimalNumber(tick)!
            self.lot = DecimalNumber(lot)!
            self.ticks = ticks
        }

        func price(_ ticks: Int) -> DecimalNumber { DecimalNumber(Int128(ticks), scale: tick.scale)! }
        func quantity(_ lots: Int) -> DecimalNumber { DecimalNumber(Int128(lots), scale: lot.scale)! }
        /// What so many lots cost at so many ticks.
        func worth(_ ticks: Int, _ lots: Int) -> DecimalNumber {
            DecimalNumber(Int128(ticks) * Int128(lots), scale: tick.scale + lot.scale)!
        }
    }

    /// A maker's order that is renewed again and again.
    private struct Quote {
        let maker: Identifier
        let venue: Int
        let side: OrderSide
        let level: Int
        var order: Identifier?
    }

    static let assets = [("BTC", 8), ("ETH", 18), ("USDT", 6)].map { (symbol: AssetSymbol($0.0)!, decimals: $0.1) }
    static let venues = [
        Venue("BTC/USDT", tick: "0.01", lot: "0.0001", ticks: 5_000_000),
        Venue("ETH/USDT", tick: "0.01", lot: "0.001", ticks: 300_000),
        Venue("ETH/BTC", tick: "0.00001", lot: "0.001", ticks: 6_000),
    ]
    static let accountCount = 100
    private static let makerCount = 10
    private static let levelCount = 2
    /// One quote is renewed for so many orders that take.
    private static let takersPerQuote = 2
    private static let takerLots = 1...100
    private static let makerLots = 400...1_600
    /// One order that takes in so many names no price.
    private static let marketOrderInterval = 4

    /// In front of the ids of this run's orders.
    private let run: String
    private let takers: [Identifier]
    private var generator: SeededGenerator
    private var ticks = Self.venues.map(\.ticks)
    private var quotes: [Quote] = []
    private var nextQuote = 0
    private var takerCount = 0
    private var orderCount = 0

    /// - Parameter accounts: whose orders they are; the first of them make the market.
    init(seed: UInt64, run: String, accounts: [Identifier]) {
        generator = SeededGenerator(seed: seed)
        self.run = run
        takers = Array(accounts.dropFirst(Self.makerCount))
        for level in 0..<Self.levelCount {
            for maker in accounts.prefix(Self.makerCount) {
                for side in OrderSide.allCases {
                    for venue in Self.venues.indices {
                        quotes.append(Quote(maker: maker, venue: venue, side: side, level: level))
                    }
                }
            }
        }
    }

    /// The first quote of each maker.
    mutating func opening() -> [EngineCommand.Action] { quotes.indices.map { place($0) } }

    /// All quotes are taken back.
    mutating func closing() -> [EngineCommand.Action] { quotes.indices.compactMap { cancel($0) } }

    /// The next orders.
    ///
    /// - Parameters:
    ///   - takers: how many of them take; each makes a trade, or a few.
    ///   - tradesMax: they make no more than so many.
    mutating func orders(takers: Int, tradesMax: Int) -> [EngineCommand.Action] {
        var orders: [EngineCommand.Action] = []
        var lotsLeft = tradesMax
        for _ in 0..<takers where lotsLeft > 0 {
            if takerCount % Self.takersPerQuote == 0 { orders += renewed() }
            takerCount += 1
            // Every lot is one trade at most.
            let lots = min(Int.random(in: Self.takerLots, using: &generator), lotsLeft)
            lotsLeft -= lots
            orders.append(take(lots))
        }
        return orders
    }

    // MARK: - Makers

    /// One quote is taken back and given anew, at the price as it is now.
    private mutating func renewed() -> [EngineCommand.Action] {
        let index = nextQuote
        nextQuote = (nextQuote + 1) % quotes.count
        wander(quotes[index].venue)
        let cancel = cancel(index)
        return [cancel, place(index)].compactMap(\.self)
    }

    private mutating func cancel(_ index: Int) -> EngineCommand.Action? {
        guard let order = quotes[index].order else { return nil }
        quotes[index].order = nil
        return .cancel(account: quotes[index].maker, order: .clientOrderID(order))
    }

    private mutating func place(_ index: Int) -> EngineCommand.Action {
        let quote = quotes[index]
        let venue = Self.venues[quote.venue]
        let ticks = ticks[quote.venue]
        // Two to four ten-thousandths from the price, and so much more behind that on the second level.
        let distance =
            ticks * Int.random(in: 20 + 30 * quote.level...40 + 30 * quote.level, using: &generator) / 100_000
        orderCount += 1
        let id = Identifier("\(run)-\(orderCount)")!
        quotes[index].order = id
        return .place(
            OrderRequest(
                account: quote.maker, clientOrderID: id, market: venue.symbol, side: quote.side,
                timeInForce: .postOnly, price: venue.price(ticks + (quote.side == .buy ? -1 : 1) * max(1, distance)),
                quantity: venue.quantity(Int.random(in: Self.makerLots, using: &generator))))
    }

    /// A step of at most five hundred-thousandths, and never further than to half or twice of where it began.
    private mutating func wander(_ venue: Int) {
        let step = max(1, ticks[venue] / 20_000)
        let start = Self.venues[venue].ticks
        ticks[venue] = min(2 * start, max(start / 2, ticks[venue] + Int.random(in: -step...step, using: &generator)))
    }

    // MARK: - Takers

    private mutating func take(_ lots: Int) -> EngineCommand.Action {
        let index = Int.random(in: Self.venues.indices, using: &generator)
        let venue = Self.venues[index]
        let side = Bool.random(using: &generator) ? OrderSide.buy : .sell
        let isMarketOrder = Int.random(in: 0..<Self.marketOrderInterval, using: &generator) == 0
        // At most one part in a hundred worse than the price.
        let worst = side == .buy ? ticks[index] + ticks[index] / 100 : ticks[index] - ticks[index] / 100
        return .place(
            OrderRequest(
                account: takers.randomElement(using: &generator)!, market: venue.symbol, side: side,
                kind: isMarketOrder ? .market : .limit, timeInForce: .immediateOrCancel,
                price: isMarketOrder ? nil : venue.price(worst), quantity: venue.quantity(lots),
                budget: isMarketOrder && side == .buy ? venue.worth(worst, lots) : nil))
    }
}
