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
        try await repeating { [wallet] lostBatch in try await wallet.settle(batch, resolving: lostBatch) }
    }

    func reverse(_ terms: ReversalTerms, reason: String) async throws -> ReversalOutcome {
        try await repeating { [wallet] lostBatch in
            try await wallet.reverse(terms, actor: operatorName, reason: reason, resolving: lostBatch)
        }
    }

    /// - Parameter body: is given the number of the batch whose commit was not answered the time before.
    private func repeating<Value: Sendable>(
        _ body: @Sendable (_ lostBatch: BatchNumber?) async throws -> Value
    ) async throws -> Value {
        var lostBatch: BatchNumber?
        var attempts = 0
        while true {
            do {
                return try await body(lostBatch)
            } catch let error as WalletError {
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
