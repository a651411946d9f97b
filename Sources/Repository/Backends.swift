/// PostgreSQL's own processes, one for each connection.
public enum BackendStore {
    private static let settling = """
        select pg_terminate_backend(pid) from pg_stat_activity
         where pid = $1 and datname = current_database() and application_name = 'settle wallet'
        """

    static let terminateAtWorkStatement = Statement("backends_terminate_at_work", settling + " and state <> 'idle'")
    static let terminateStatement = Statement("backends_terminate", settling)

    /// Ends a connection that settles from the server's side, as an administrator or a failover would; answers with a
    /// row if it did.
    ///
    /// - Parameter onlyAtWork: leaves it alone between two transactions.
    public static func terminate(_ backend: Int32, onlyAtWork: Bool) -> Request {
        Request(onlyAtWork ? terminateAtWorkStatement : terminateStatement, [.int4(backend)])
    }

    /// The number of a process may come again; together with its start it does not.
    private static let name = "pid || ' ' || backend_start"

    static let ownStatement = Statement(
        "backends_own", "select \(name) from pg_stat_activity where pid = pg_backend_pid()")
    static let remainingStatement = Statement(
        "backends_remaining", "select \(name) from pg_stat_activity where \(name) = any ($1)")

    /// What tells the server's process for this connection from all others, later ones included.
    public static var own: Request { Request(ownStatement) }

    public static func decodeOwn(_ rows: Rows) -> String { rows.string(0, 0) }

    /// Which of these have not ended.
    public static func remaining(
        of names: Set<String>, _ connection: PostgresConnection
    ) throws(DatabaseError) -> Set<String> {
        let rows = try connection.query(remainingStatement, .texts(names) { $0 })
        return Set(rows.indices.map { rows.string($0, 0) })
    }
}
