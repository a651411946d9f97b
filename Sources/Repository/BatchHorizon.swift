import TradeModel

/// The newest number of a batch that was given out, and the transactions that may still commit such a number: batches
/// do not commit in the order of their numbers.
///
/// When they have ended, every batch up to ``newest`` is there for good, or never will be: what follows the ledger by
/// the numbers of batches stays below this. Whoever has a number holds the lock that the sequence asks for until the
/// transaction ends.
public struct BatchHorizon: Sendable {
    /// 0 before the first.
    public let newest: BatchNumber
    private let writers: OpenWriters

    /// A sequence that was just set up or moved on says the number that comes next, and that it was not given out yet.
    private static let newestStatement = Statement(
        "batch_horizon",
        "select case when is_called then last_value else last_value - 1 end from batch_numbers")

    /// Two statements, the number first: whoever was given one up to it is seen in the second, or has ended.
    public init(on connection: PostgresConnection) throws(DatabaseError) {
        newest = try Self.newest(on: connection)
        writers = try OpenWriters(of: "batch_numbers", begunBefore: nil, on: connection)
    }

    /// The newest number that was given out, 0 before the first.
    public static func newest(on connection: PostgresConnection) throws(DatabaseError) -> BatchNumber {
        try connection.query(newestStatement).int64(0, 0)
    }

    /// Whether every batch up to ``newest`` is decided. What is read afterwards, in a new snapshot, has all of them.
    public func isReached(on connection: PostgresConnection) throws(DatabaseError) -> Bool {
        try writers.haveEnded(on: connection)
    }

    /// Waits until it is; returns false when the patience was not enough.
    public func wait(on connection: PostgresConnection, patience: Duration) throws(DatabaseError) -> Bool {
        try writers.wait(on: connection, patience: patience)
    }
}
