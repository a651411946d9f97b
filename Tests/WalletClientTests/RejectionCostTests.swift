import Repository
import SettleTesting
import Testing
import TradeModel

@testable import WalletClient

/// What it costs that trades of a batch are rejected.
@Suite struct RejectionCostTests {
    private static let count = 500

    /// Every buyer and seller is another; `poor` of a hundred have too little to pay with.
    private func batch(_ prefix: String, poor: Int, orders: Bool) -> [SettlementItem] {
        (0..<Self.count).map { number in
            trade(
                "\(prefix)\(number)", price: number % 100 < poor ? "900000000" : "1", quantity: "1",
                buyer: "buyer\(number)", seller: "seller\(number)", orders: (orders ? "o\(number)" : nil, nil))
        }
    }

    @Test func `a batch with rejected trades takes one round trip more, however many they are`() async throws {
        let database = try TestDatabase()
        try database.addMarket()
        let proxy = try CutProxy(to: database)
        defer { proxy.stop() }
        var configuration = database.walletConfiguration()
        configuration.connectionString = proxy.connectionString(database)
        let wallet = Wallet(configuration)
        _ = try await wallet.settle(
            (0..<Self.count).flatMap { number in
                [
                    deposit("b\(number)", "buyer\(number)", "1000", "USDT"),
                    deposit("s\(number)", "seller\(number)", "1000", "BTC"),
                ]
            })
        func roundTrips(poor: Int, orders: Bool, by wallet: Wallet) async throws -> Int {
            let items = batch("\(poor)-\(orders)-\(proxy.synchronizations)-", poor: poor, orders: orders)
            let before = proxy.synchronizations
            let start = ContinuousClock.now
            let outcomes = try await wallet.settle(items)
            print("\(poor) % rejected, orders \(orders): \(ContinuousClock.now - start)")
            #expect(outcomes.count { $0 == .settled } == Self.count / 100 * (100 - poor))
            return proxy.synchronizations - before
        }
        // The first batch reads balances that nobody has asked for yet.
        _ = try await roundTrips(poor: 0, orders: false, by: wallet)
        for orders in [false, true] {
            let usual = try await roundTrips(poor: 0, orders: orders, by: wallet)
            #expect(usual == (orders ? 3 : 2))
            for poor in [1, 50, 100] {
                #expect(try await roundTrips(poor: poor, orders: orders, by: wallet) == usual + 1)
            }
        }
        let stranger = Wallet(configuration)
        _ = try await stranger.balances(of: Identifier("buyer0")!)
        // What names the trades, the balances, and a number for the batch; then the two that write.
        #expect(try await roundTrips(poor: 0, orders: true, by: stranger) <= 5)
        #expect(try database.violations() == [])
    }
}
