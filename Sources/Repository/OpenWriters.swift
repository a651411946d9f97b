import Glibc
import TradeModel

/// The transactions that hold a lock as writers of one relation: whoever waits for their end sees what they wrote.
///
/// Whatever else goes on in the server is not waited for.
struct OpenWriters {
    private let relation: String
    private let transactions: [String]

    private static let writing = """
        pg_locks where locktype = 'relation' and relation = $1::regclass and mode = 'RowExclusiveLock'
           and granted and database = (select oid from pg_database where datname = current_database())
        """
    /// One that began after $2 does not count. Of other users `xact_start` may be hidden: they count.
    private static let listStatement = Statement(
        "writers_list",
        """
        select virtualtransaction from (select virtualtransaction, pid from \(writing)) writer
         where not exists (select from pg_stat_activity a where a.pid = writer.pid and a.xact_start > $2)
        """)
    private static let openStatement = Statement(
        "writers_open", "select count(*) from \(writing) and virtualtransaction = any ($2)")

    /// Those of now.
    ///
    /// - Parameter time: whoever began later is left out; nil for nobody.
    init(of relation: String, begunBefore time: Timestamp?, on connection: PostgresConnection) throws(DatabaseError) {
        self.relation = relation
        let rows = try connection.query(Self.listStatement, .text(relation), .timestamp(time))
        transactions = rows.indices.map { rows.string($0, 0) }
    }

    static let nobody = OpenWriters()

    private init() {
        relation = ""
        transactions = []
    }

    /// Whether all of them have ended. What is read afterwards, in a new snapshot, has what they brought.
    func haveEnded(on connection: PostgresConnection) throws(DatabaseError) -> Bool {
        guard !transactions.isEmpty else { return true }
        return try connection.query(Self.openStatement, .text(relation), .texts(transactions) { $0 }).int64(0, 0) == 0
    }

    /// Waits until all of them have ended; returns false when the patience was not enough.
    func wait(on connection: PostgresConnection, patience: Duration) throws(DatabaseError) -> Bool {
        let deadline = ContinuousClock.now + patience
        while try !haveEnded(on: connection) {
            guard ContinuousClock.now < deadline else { return false }
            usleep(5_000)
        }
        return true
    }
}
