import Repository
import ServiceKit
import TradeFeed
import TradeModel
import WalletClient

/// Brings the market and the customers' money, by deposits as everybody makes them.
struct Funding {
    private let connectionString: String
    private let limits: Limits
    private static let batchSize = 2_000
    private static let rich = [(LoadLine.base, "10000"), (LoadLine.quote, "1000000000")]
    private static let poor = [(LoadLine.quote, "1")]

    init(connectionString: String, limits: Limits) {
        self.connectionString = connectionString
        self.limits = limits
    }

    /// - Parameter progress: told how many of all accounts have their money.
    func run(accountCount: Int, progress: @escaping @Sendable (Int) -> Void) async throws {
        let connection = try PostgresConnection(connectionString, limits: limits)
        _ = try connection.pipeline([
            CatalogStore.addAsset(AssetSymbol(LoadLine.base)!, decimals: LoadLine.baseDecimals),
            CatalogStore.addAsset(AssetSymbol(LoadLine.quote)!, decimals: LoadLine.quoteDecimals),
            CatalogStore.addMarket(
                MarketSymbol(LoadLine.market)!, priceDecimals: LoadLine.quoteDecimals, tick: nil, lot: nil,
                fees: .received),
        ])
        let all = accountCount + LoadShape.poorAccountCount
        let step = Self.batchSize / Self.rich.count
        let chunks = stride(from: 0, to: all, by: step).map { $0..<min($0 + step, all) }
        let done = Guarded(0)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for lane in 0..<limits.connections {
                let wallet = Wallet(
                    WalletConfiguration(
                        connectionString: connectionString, limits: limits, actor: "bench", render: WireEncoder.encode))
                group.addTask {
                    for index in stride(from: lane, to: chunks.count, by: limits.connections) {
                        try Task.checkCancellation()
                        try await Self.fund(chunks[index], accountCount, wallet)
                        progress(
                            done.withLock { done in
                                done += chunks[index].count
                                return done
                            })
                    }
                    await wallet.close()
                }
            }
            try await group.waitForAll()
        }
        try connection.liftStatementTimeout()
        try connection.script("set lock_timeout = 0")
        try connection.script("vacuum (analyze)")
    }

    private static func fund(_ places: Range<Int>, _ accountCount: Int, _ wallet: Wallet) async throws {
        let deposits = places.flatMap { place in
            (place < accountCount ? rich : poor).map { asset, amount in
                SettlementItem(
                    .operation(
                        Operation(
                            key: Identifier("endow-\(place)-\(asset)")!, kind: .deposit,
                            account: Identifier(LoadLine.accountID(place))!, asset: AssetSymbol(asset)!,
                            amount: DecimalNumber(amount)!)),
                    origin: .message("bench"))
            }
        }
        let outcomes = try await wallet.settle(deposits)
        guard outcomes.allSatisfy({ $0 == .settled }) else {
            throw BenchmarkError("the accounts could not be funded: \(outcomes.first { $0 != .settled }!)")
        }
    }
}
