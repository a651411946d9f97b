/// What other sessions do to the server, and what stands between it and us.
extension ServerHealth {
    /// A session that keeps something from others.
    public struct OtherSession: Sendable {
        public let processID: Int32
        public let role: String
        public let application: String
        public let state: String
        public let milliseconds: Int64

        public var isIdle: Bool { state.hasPrefix("idle") }
    }

    private static let transactionsStatement = Statement(
        "health_transactions",
        """
        select pid, coalesce(usename, '')::text, coalesce(application_name, ''), coalesce(state, ''),
               (extract(epoch from clock_timestamp() - xact_start) * 1000)::bigint
          from pg_stat_activity
         where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()
           and xact_start < clock_timestamp() - $1 * interval '1 millisecond'
         order by xact_start limit 5
        """)

    /// Transactions that have been open for longer, the oldest first.
    public static func transactions(openFor milliseconds: Int64, _ connection: PostgresConnection)
        throws(DatabaseError) -> [OtherSession]
    {
        let rows = try connection.query(transactionsStatement, .int8(milliseconds))
        return rows.indices.map { otherSession(rows, $0, from: 0) }
    }

    /// A session that waits for a lock, and the one that holds it.
    public struct LockWait: Sendable {
        public let processID: Int32
        public let milliseconds: Int64
        public let holder: OtherSession
    }

    private static let lockWaitsStatement = Statement(
        "health_lock_waits",
        """
        select w.pid, (extract(epoch from clock_timestamp() - w.waitstart) * 1000)::bigint, b.pid,
               coalesce(a.usename, '')::text, coalesce(a.application_name, ''), coalesce(a.state, ''),
               coalesce(extract(epoch from clock_timestamp() - a.xact_start) * 1000, 0)::bigint
          from pg_locks w
          join pg_stat_activity o on o.pid = w.pid and o.datname = current_database()
         cross join lateral unnest(pg_blocking_pids(w.pid)) as b (pid)
          left join pg_stat_activity a on a.pid = b.pid
         where not w.granted and w.waitstart < clock_timestamp() - $1 * interval '1 millisecond'
         order by w.waitstart limit 5
        """)

    public static func lockWaits(longerThan milliseconds: Int64, _ connection: PostgresConnection)
        throws(DatabaseError) -> [LockWait]
    {
        let rows = try connection.query(lockWaitsStatement, .int8(milliseconds))
        return rows.indices.map {
            LockWait(
                processID: rows.int32($0, 0), milliseconds: rows.int64($0, 1), holder: otherSession(rows, $0, from: 2))
        }
    }

    private static func otherSession(_ rows: Rows, _ row: Int, from column: Int) -> OtherSession {
        OtherSession(
            processID: rows.int32(row, column), role: rows.string(row, column + 1),
            application: rows.string(row, column + 2), state: rows.string(row, column + 3),
            milliseconds: rows.int64(row, column + 4))
    }

    private static let preparedStatement = Statement(
        "health_prepared",
        """
        select gid, (extract(epoch from clock_timestamp() - prepared) * 1000)::bigint from pg_prepared_xacts
         where database = current_database() and prepared < clock_timestamp() - $1 * interval '1 millisecond'
         order by prepared limit 5
        """)

    /// Transactions that were prepared for a commit in two phases, and never ended.
    public static func preparedTransactions(olderThan milliseconds: Int64, _ connection: PostgresConnection)
        throws(DatabaseError) -> [(name: String, milliseconds: Int64)]
    {
        let rows = try connection.query(preparedStatement, .int8(milliseconds))
        return rows.indices.map { (rows.string($0, 0), rows.int64($0, 1)) }
    }

    /// A replication slot that nobody reads, and what the server keeps for it.
    public struct IdleSlot: Sendable {
        public let name: String
        public let holdsRows: Bool
        public let logBytes: Int64
    }

    private static let idleSlotsStatement = Statement(
        "health_idle_slots",
        """
        select slot_name::text, xmin is not null or catalog_xmin is not null,
               coalesce(case when not pg_is_in_recovery()
                        then pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn) end, 0)::bigint
          from pg_replication_slots where not active order by 3 desc limit 5
        """)

    public static func idleSlots(_ connection: PostgresConnection) throws(DatabaseError) -> [IdleSlot] {
        let rows = try connection.query(idleSlotsStatement)
        return rows.indices.map {
            IdleSlot(name: rows.string($0, 0), holdsRows: rows.bool($0, 1), logBytes: rows.int64($0, 2))
        }
    }

    // MARK: What stands between

    private static let backendStatement = Statement("health_backend", "select pg_backend_pid()")

    /// Whether two connections that are open at the same time meet in one session of the server, or one of them moves
    /// between sessions: then something shares sessions out by the transaction.
    public static func isSharingSessions(_ first: PostgresConnection, _ second: PostgresConnection)
        throws(DatabaseError) -> Bool
    {
        func backend(_ connection: PostgresConnection) throws(DatabaseError) -> Int32 {
            try connection.query(backendStatement).int32(0, 0)
        }
        do throws(DatabaseError) {
            let before = try backend(first)
            // A transaction keeps its session, so the first connection must move if they share.
            try second.query(.begin)
            defer { second.rollBack() }
            let other = try backend(second)
            let after = try backend(first)
            return other == before || after != before
        } catch {
            // Statements that were prepared and are gone, or prepared by somebody else.
            guard error.isOfSharedSession else { throw error }
            return true
        }
    }

    private static let listenStatement = Statement("health_listen", "listen settle_doctor")
    private static let unlistenStatement = Statement("health_unlisten", "unlisten settle_doctor")
    private static let notifyStatement = Statement("health_notify", "select pg_notify('settle_doctor', '')")

    /// Whether what one connection announces reaches the other within the time.
    public static func isNotificationDelivered(
        from sender: PostgresConnection, to receiver: PostgresConnection, milliseconds: Int
    ) throws(DatabaseError) -> Bool {
        try receiver.query(listenStatement)
        try sender.query(notifyStatement)
        let isThere = try receiver.awaitNotification(milliseconds: milliseconds)
        try receiver.query(unlistenStatement)
        return isThere
    }
}
