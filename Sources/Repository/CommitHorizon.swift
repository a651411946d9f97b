import TradeModel

/// A moment, and the transactions that could still bring a batch from before it: a batch says when it commits a little
/// before others can see it.
///
/// They are known by their lock on `batches`, which they take before they look at the clock and keep until what they
/// wrote is seen. Whatever else goes on in the server is not waited for.
struct CommitHorizon {
    let now: Timestamp
    private let writers: [String]

    private static let writing = """
        pg_locks where locktype = 'relation' and relation = 'batches'::regclass and mode = 'RowExclusiveLock'
           and granted and database = (select oid from pg_database where datname = current_database())
        """
    private static let nowStatement = Statement("horizon_now", "select clock_timestamp()")
    private static let writersStatement = Statement("horizon_writers", "select virtualtransaction from \(writing)")
    private static let openStatement = Statement(
        "horizon_open", "select count(*) from \(writing) and virtualtransaction = any ($1)")

    /// Two statements, the clock first: whoever wrote before that moment is seen in the second, or has ended.
    init(on connection: PostgresConnection) throws(DatabaseError) {
        now = try connection.query(Self.nowStatement).timestamp(0, 0)
        let rows = try connection.query(Self.writersStatement)
        writers = rows.indices.map { rows.string($0, 0) }
    }

    /// Whether all of them have ended. What is read afterwards, in a new snapshot, has what they brought.
    func isReached(on connection: PostgresConnection) throws(DatabaseError) -> Bool {
        guard !writers.isEmpty else { return true }
        return try connection.query(Self.openStatement, .texts(writers) { $0 }).int64(0, 0) == 0
    }
}
