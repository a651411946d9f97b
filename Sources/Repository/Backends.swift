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
}
