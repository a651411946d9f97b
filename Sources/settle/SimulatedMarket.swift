import Repository
import ServiceKit
import SettlementWorkers
import TradeFeed
import TradeModel

/// Trades as an exchange would make them: a hundred accounts with money, two markets whose prices wander, fees, and
/// now and then a buyer who cannot pay. The same seed makes the same trades.
struct SimulatedMarket {
    /// The way in that its messages name.
    static let source = "up"
    static let accounts = (1...100).map { Identifier("sim-\($0)")! }
    /// Has next to nothing, and buys all the same.
    static let poorAccount = Identifier("sim-poor")!
    /// One trade in so many is the poor account's.
    private static let poorTradeInterval = 100

    private static let assets = [("BTC", 8), ("ETH", 18), ("USDT", 6)]
        .map { (symbol: AssetSymbol($0.0)!, decimals: $0.1) }
    private static let markets = [
        (symbol: MarketSymbol("BTC/USDT")!, cents: 5_000_000), (symbol: MarketSymbol("ETH/USDT")!, cents: 300_000),
    ]

    private let run: String
    private var generator: SeededGenerator
    private var prices = Self.markets.map(\.cents)
    private(set) var tradeCount = 0

    init(seed: UInt64, run: String) {
        generator = SeededGenerator(seed: seed)
        self.run = run
    }

    /// What must exist before the first trade. Repeating it changes nothing.
    static func prepare(_ connection: PostgresConnection, _ wallet: DirectWallet) async throws {
        var catalog = try CatalogStore.read(connection)
        for (symbol, decimals) in assets where catalog.assets[symbol] == nil {
            _ = try connection.pipeline([CatalogStore.addAsset(symbol, decimals: decimals)])
        }
        catalog = try CatalogStore.read(connection)
        for (symbol, _) in markets where catalog.markets[symbol] == nil {
            _ = try connection.pipeline([
                CatalogStore.addMarket(symbol, priceDecimals: 6, tick: nil, lot: nil, fees: .received)
            ])
        }
        let endowment = [("BTC", "1000"), ("ETH", "20000"), ("USDT", "50000000")]
        var deposits = accounts.flatMap { account in
            endowment.map { asset, amount in deposit(account, asset, amount) }
        }
        deposits.append(deposit(poorAccount, "USDT", "1"))
        _ = try await wallet.settle(deposits)
    }

    private static func deposit(_ account: Identifier, _ asset: String, _ amount: String) -> SettlementItem {
        SettlementItem(
            .operation(
                Operation(
                    key: Identifier("endow-\(account)-\(asset)")!, kind: .deposit, account: account,
                    asset: AssetSymbol(asset)!, amount: DecimalNumber(amount)!)),
            origin: .message(source))
    }

    mutating func next() -> SettlementItem {
        tradeCount += 1
        let market = Int.random(in: 0..<Self.markets.count, using: &generator)
        let step = prices[market] / 1000
        prices[market] = max(
            Self.markets[market].cents / 2,
            min(Self.markets[market].cents * 2, prices[market] + Int.random(in: -step...step, using: &generator)))
        let isPoor = tradeCount % Self.poorTradeInterval == Self.poorTradeInterval / 2
        let seller = Self.accounts.randomElement(using: &generator)!
        var buyer = isPoor ? Self.poorAccount : Self.accounts.randomElement(using: &generator)!
        if buyer == seller { buyer = Self.accounts[(Self.accounts.firstIndex(of: seller)! + 1) % Self.accounts.count] }
        // Quantities of 0.00001 to 0.05, with a fee of a thousandth for the taker, rounded down.
        let quantity = Int128(Int.random(in: 1_000...5_000_000, using: &generator))
        let buyerTakes = Bool.random(using: &generator)
        let quote = Int128(prices[market]) * quantity / 10_000  // in millionths
        let trade = Trade(
            id: Identifier("\(run)-\(tradeCount)")!, market: Self.markets[market].symbol,
            price: DecimalNumber(Int128(prices[market]), scale: 2)!, quantity: DecimalNumber(quantity, scale: 8)!,
            buyer: buyer, seller: seller, taker: buyerTakes ? .buyer : .seller,
            buyerFee: buyerTakes ? DecimalNumber(quantity / 1000, scale: 8)! : .zero,
            sellerFee: buyerTakes ? .zero : DecimalNumber(quote / 1000, scale: 6)!, executedAt: .now)
        return SettlementItem(.trade(trade), origin: .message(Self.source), payload: WireEncoder.encode(trade))
    }
}

/// The simulated market as a source of the service, at a given pace.
actor SimulatedSource: SettlementService.Source {
    private var market: SimulatedMarket
    private let perSecond: Int
    private let tradesMax: Int?
    private let start = ContinuousClock.now
    private var isStopped = false
    private var pausedAt: ContinuousClock.Instant?
    private var pausedFor = Duration.zero

    /// A late source catches up with at most so many trades at once.
    private static let burstMax = 2_000

    init(_ market: SimulatedMarket, perSecond: Int, tradesMax: Int?) {
        self.market = market
        self.perSecond = perSecond
        self.tradesMax = tradesMax
    }

    func next() async throws -> [SettlementItem]? {
        let asked = ContinuousClock.now
        while !isStopped {
            if ContinuousClock.now - asked > .milliseconds(250) { return [] }
            guard pausedAt == nil else {
                try await Task.sleep(for: .milliseconds(5))
                continue
            }
            let milliseconds = Int((ContinuousClock.now - start - pausedFor) / .milliseconds(1))
            let due = min(milliseconds * perSecond / 1000, tradesMax ?? .max)
            let count = min(due - market.tradeCount, Self.burstMax)
            if count > 0 { return (0..<count).map { _ in market.next() } }
            if let tradesMax, market.tradeCount >= tradesMax { return nil }
            try await Task.sleep(for: .milliseconds(5))
        }
        return nil
    }

    func stop() {
        isStopped = true
    }

    /// Makes nothing while the queue is paused; what was not made meanwhile is not made up for.
    func obey(isPaused: Bool) {
        if isPaused {
            pausedAt = pausedAt ?? .now
        } else if let start = pausedAt {
            pausedFor += .now - start
            pausedAt = nil
        }
    }

    var isExhausted: Bool { tradesMax.map { market.tradeCount >= $0 } ?? false }
}
