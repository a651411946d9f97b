import Repository
import TradeModel

/// What settles batches: the wallet actors over PostgreSQL, or a simulation of them in a test.
public protocol SettlementWallet: Sendable {
    /// Settles a batch in one transaction: everything that its outcomes say has happened, or nothing has.
    ///
    /// - Parameters:
    ///   - lostBatch: the number of an earlier attempt at the same batch whose commit was not answered.
    ///   - turn: which batch of the same accounts this one follows, and what those that follow it wait for.
    /// - Returns: an outcome for each item, in the order of the batch.
    func settle(
        _ batch: [SettlementItem], resolving lostBatch: BatchNumber?, in turn: Turn
    ) async throws(WalletError) -> [Outcome]

    /// Writes one item to the dead letters because of what happened around it, not because of what it says:
    /// its retries are spent, or the queue had no room. A trade that was settled meanwhile stays settled.
    ///
    /// - Parameter tries: those that failed, for the history of the letter.
    func park(
        _ item: SettlementItem, because rejection: Rejection, after tries: [FailedAttempt]
    ) async throws(WalletError) -> Outcome

    /// Returns when the database may be asked again; at once while the circuit breaker is closed.
    func untilAvailable() async throws(CancellationError)
}

/// What became of one item of a batch that was committed.
public enum Outcome: Hashable, Sendable {
    case settled
    /// It was settled or parked before, with the same content; nothing moved.
    case duplicate
    /// A trade was parked in the dead letters; an operation was refused. Nothing moved.
    /// Indirect, since there is an outcome for every item, and few are this.
    indirect case rejected(Rejection)
    /// It waits as PENDING, because an older trade may still bring what it needs, or since its market is halted.
    case deferred
}

/// Why a batch was not settled, told by what to do next.
public enum WalletError: Error, Hashable, Sendable {
    /// Rolled back by the database for a passing reason: a deadlock, a timeout, a serialization failure.
    case retry(DatabaseFault)
    /// Rolled back for a reason that lies in the batch. Alone in its batch, the item is to blame.
    case reject(DatabaseFault)
    /// The commit was sent and not answered: settling the same batch again finds out, and has effect once.
    case findOut(BatchNumber, DatabaseFault)
    /// The database cannot be reached. That is no item's fault and counts against none.
    case unavailable(DatabaseFault)
    /// Nothing was written, since others kept moving the money that was counted on. That is no failure: again.
    case overtaken
    /// Nothing was written, since the batch before it in its turn failed. It is to come again behind that one.
    case outOfTurn
}

/// What the database said, for logs and for the history of a dead letter.
public struct DatabaseFault: Hashable, Sendable, CustomStringConvertible {
    /// Five characters of SQLSTATE; nil when the connection itself failed.
    public var sqlState: String?
    public var message: String

    public init(sqlState: String? = nil, message: String) {
        self.sqlState = sqlState
        self.message = message
    }

    public var description: String { sqlState.map { "\(message) (SQLSTATE \($0))" } ?? message }
}
