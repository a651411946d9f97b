import TradeModel

/// A moment, and the transactions that could still bring a batch from before it: a batch says when it commits a little
/// before others can see it.
struct CommitHorizon {
    let now: Timestamp
    private let nextTransaction: Int64

    private static let nowStatement = Statement("horizon_now", "select clock_timestamp()")
    private static let nextTransactionStatement = Statement(
        "horizon_next", "select pg_snapshot_xmax(pg_current_snapshot())::text::bigint")
    private static let oldestStatement = Statement(
        "horizon_oldest", "select pg_snapshot_xmin(pg_current_snapshot())::text::bigint")

    /// Two statements: the snapshot of one is older than any clock that is read in it, and a transaction that began
    /// between the two would be missed.
    init(on connection: PostgresConnection) throws(DatabaseError) {
        now = try connection.query(Self.nowStatement).timestamp(0, 0)
        nextTransaction = try connection.query(Self.nextTransactionStatement).int64(0, 0)
    }

    /// Whether every transaction that was running then has ended. Asked between transactions, not in one.
    func isReached(on connection: PostgresConnection) throws(DatabaseError) -> Bool {
        try connection.query(Self.oldestStatement).int64(0, 0) >= nextTransaction
    }
}
