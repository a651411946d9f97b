import CommandKit
import Repository
import ServiceKit
import TradeFeed
import TradeModel
import WalletClient

/// The wallet of a command: it settles at once, without a queue, and repeats what failed for a passing reason.
struct DirectWallet {
    private let wallet: Wallet
    private let limits: Limits

    init(_ database: Database) {
        limits = database.limits
        wallet = Wallet(
            WalletConfiguration(
                connectionString: database.connectionString, limits: database.limits, actor: operatorName,
                render: WireEncoder.encode))
    }

    func settle(_ batch: [SettlementItem]) async throws -> [Outcome] {
        var lostBatch: BatchNumber?
        var attempts = 0
        while true {
            do throws(WalletError) {
                return try await wallet.settle(batch, resolving: lostBatch)
            } catch {
                attempts += 1
                guard attempts < 2 * limits.retryAttemptsMax else { throw error }
                switch error {
                case .findOut(let number, _): lostBatch = number
                case .retry, .overtaken, .outOfTurn: break
                case .unavailable where lostBatch != nil: break
                case .unavailable, .reject: throw error
                }
                try await Task.sleep(for: .milliseconds(limits.retryBackoffMilliseconds * attempts))
            }
        }
    }

    /// - Parameter lookingAtClaims: whether what was settled or parked before counts as a duplicate.
    func preview(_ batch: [SettlementItem], lookingAtClaims: Bool = true) async throws -> [Outcome] {
        try await wallet.preview(batch, lookingAtClaims: lookingAtClaims)
    }
}
