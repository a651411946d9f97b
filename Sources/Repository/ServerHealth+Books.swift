/// What our own tables say of the state of the service.
extension ServerHealth {
    /// A worker process that is registered.
    public struct Worker: Sendable {
        public let number: Int64
        public let host: String
        public let processID: Int32
        public let version: String
        public let silentMilliseconds: Int64
    }

    private static let workersStatement = Statement(
        "health_workers",
        """
        select worker_no, host, process_id, version,
               abs(extract(epoch from clock_timestamp() - heartbeat_at) * 1000)::bigint
          from workers order by worker_no desc limit 1000
        """)

    public static func workers(_ connection: PostgresConnection) throws(DatabaseError) -> [Worker] {
        let rows = try connection.query(workersStatement)
        return rows.indices.map {
            Worker(
                number: rows.int64($0, 0), host: rows.string($0, 1), processID: rows.int32($0, 2),
                version: rows.string($0, 3), silentMilliseconds: rows.int64($0, 4))
        }
    }

    /// Counting ends here: what a person does about more is the same.
    public static let countMax: Int64 = 10_000

    /// Trades that are PENDING, and how long the first of them has been.
    public struct Queue: Sendable {
        public let count: Int64
        public let oldestMilliseconds: Int64?
    }

    /// In order, so that the index of those that wait is what is read, however many have been settled since the
    /// planner last looked.
    private static let waitingStatement = Statement(
        "health_waiting",
        """
        select (select count(*)
                  from (select from trades where status = 'PENDING' order by received_seq limit $1) t),
               (select (extract(epoch from clock_timestamp() - received_at) * 1000)::bigint
                  from trades where status = 'PENDING' order by received_seq limit 1)
        """)

    /// - Returns: a count of at most ``countMax`` and one more.
    public static func waitingTrades(_ connection: PostgresConnection) throws(DatabaseError) -> Queue {
        let rows = try connection.query(waitingStatement, .int8(countMax + 1))
        return Queue(count: rows.int64(0, 0), oldestMilliseconds: rows.optional(0, 1, rows.int64))
    }

    private static let lettersStatement = Statement(
        "health_letters",
        "select count(*) from (select from dead_letters where status = 'open' order by letter_no limit $1) t")

    /// - Returns: a count of at most ``countMax`` and one more.
    public static func openLetters(_ connection: PostgresConnection) throws(DatabaseError) -> Int64 {
        try connection.query(lettersStatement, .int8(countMax + 1)).int64(0, 0)
    }

    private static let rangesStatement = Statement(
        "health_ledger_ranges",
        """
        select to_regclass('ledger_entries_' || ledger_range_of(last_value)) is not null
               and to_regclass('ledger_entries_' || ledger_range_of(last_value) + 1) is not null
          from batch_numbers
        """)

    /// Whether the ledger has the range that is written to, and the next one.
    public static func hasLedgerRanges(_ connection: PostgresConnection) throws(DatabaseError) -> Bool {
        try connection.query(rangesStatement).bool(0, 0)
    }
}
