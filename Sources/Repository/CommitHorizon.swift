import Glibc
import TradeModel

/// Some transaction stays open that could still bring batches.
public struct HorizonError: Error {
    public let until: Timestamp
}

/// A moment, and the transactions that could still bring a batch from before it: a batch says when it commits a little
/// before others can see it.
///
/// They are known by their lock on `batches`, which they take before they look at the clock and keep until what they
/// wrote is seen. Whatever else goes on in the server is not waited for.
struct CommitHorizon {
    let now: Timestamp
    /// Before when all batches are asked for; nil where no time is asked about.
    let time: Timestamp?
    private let writers: [String]

    private static let writing = """
        pg_locks where locktype = 'relation' and relation = 'batches'::regclass and mode = 'RowExclusiveLock'
           and granted and database = (select oid from pg_database where datname = current_database())
        """
    private static let nowStatement = Statement("horizon_now", "select clock_timestamp()")
    /// A transaction that began after $1 cannot bring an earlier batch. Of other users `xact_start` may be hidden: they
    /// count.
    private static let writersStatement = Statement(
        "horizon_writers",
        """
        select virtualtransaction from (select virtualtransaction, pid from \(writing)) writer
         where not exists (select from pg_stat_activity a where a.pid = writer.pid and a.xact_start > $1)
        """)
    private static let openStatement = Statement(
        "horizon_open", "select count(*) from \(writing) and virtualtransaction = any ($1)")

    /// Two statements, the clock first: whoever wrote before that moment is seen in the second, or has ended.
    ///
    /// - Parameter times: the latest of them is what is asked for, and now for one that has not come yet; nil for now.
    init(upTo times: [Timestamp]? = nil, on connection: PostgresConnection) throws(DatabaseError) {
        let now = try connection.query(Self.nowStatement).timestamp(0, 0)
        self.now = now
        time = times.map { $0.max().map { min($0, now) } } ?? now
        guard let time else {
            writers = []
            return
        }
        let rows = try connection.query(Self.writersStatement, .timestamp(time))
        writers = rows.indices.map { rows.string($0, 0) }
    }

    /// Whether all of them have ended. What is read afterwards, in a new snapshot, has what they brought.
    func isReached(on connection: PostgresConnection) throws(DatabaseError) -> Bool {
        guard !writers.isEmpty else { return true }
        return try connection.query(Self.openStatement, .texts(writers) { $0 }).int64(0, 0) == 0
    }

    /// Waits until all of them have ended, or throws a ``HorizonError``.
    func reach(on connection: PostgresConnection, patience: Duration) throws {
        let deadline = ContinuousClock.now + patience
        while try !isReached(on: connection) {
            guard ContinuousClock.now < deadline else { throw HorizonError(until: time ?? now) }
            usleep(5_000)
        }
    }
}
