import ServiceKit
import SettlementWorkers
import TradeFeed
import TradeModel

/// Another place of trade, whose trades come without an engine of ours, and whose customer cannot pay for them.
///
/// No engine of ours knows its accounts, so whatever becomes of its trades, the engine's balances are not touched.
actor OtherVenue: SettlementService.Source {
    /// The way in that its messages name.
    static let name = "up"
    /// Has next to nothing, and buys all the same.
    static let poorAccount = Identifier("sim-poor")!
    /// Has what the poor one buys.
    static let seller = Identifier("sim-desk")!
    static let market = MarketSymbol("BTC/USDT")!
    /// One trade comes for so many of the engine's.
    private static let interval = 100

    /// What its accounts have from the beginning.
    static let deposits = [(poorAccount, "USDT", "1"), (seller, "BTC", "1000")].map { account, asset, amount in
        SettlementItem(
            .operation(
                Operation(
                    key: Identifier("endow-\(account)-\(asset)")!, kind: .deposit, account: account,
                    asset: AssetSymbol(asset)!, amount: DecimalNumber(amount)!)),
            origin: .message(name))
    }

    private let run: String
    private let meter: EngineMeter
    private var generator: SeededGenerator
    private var count = 0
    private var isStopped = false

    init(seed: UInt64, run: String, meter: EngineMeter) {
        self.run = run
        self.meter = meter
        generator = SeededGenerator(seed: seed)
    }

    func next() async throws -> [SettlementItem]? {
        let asked = ContinuousClock.now
        while ContinuousClock.now - asked < .milliseconds(250) {
            let due = (meter.reading.trades + Self.interval / 2) / Self.interval
            if due > count { return (count..<due).map { _ in trade() } }
            if isStopped { return nil }
            try await Task.sleep(for: .milliseconds(10))
        }
        return []
    }

    func stop() {
        isStopped = true
    }

    private func trade() -> SettlementItem {
        count += 1
        let cents = Int.random(in: 4_900_000...5_100_000, using: &generator)
        let quantity = Int.random(in: 1...500, using: &generator)
        let trade = Trade(
            id: Identifier("\(run)-\(count)")!, market: Self.market, price: DecimalNumber(Int128(cents), scale: 2)!,
            quantity: DecimalNumber(Int128(quantity), scale: 4)!, buyer: Self.poorAccount, seller: Self.seller,
            taker: .buyer, executedAt: .now)
        return SettlementItem(.trade(trade), origin: .message(Self.name), payload: WireEncoder.encode(trade))
    }
}
