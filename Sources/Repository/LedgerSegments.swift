import TradeModel

/// A range of the ledger: with an index by account, or one that entries are still appended to, or were until just now.
struct LedgerSegment: Hashable, Sendable {
    let batches: Range<BatchNumber>
    let isIndexed: Bool
}

enum LedgerSegmentStore {
    static let readStatement = Statement(
        "ledger_segments",
        """
        select first_batch, least(next_batch, newest + 1), is_indexed
          from (select max(batch_no) as newest from batches) b, ledger_segments()
         where first_batch <= newest order by first_batch
        """)

    /// All of the ledger in order, without a gap, up to the newest batch.
    static func read(_ connection: PostgresConnection) throws(DatabaseError) -> [LedgerSegment] {
        let rows = try connection.query(readStatement)
        return rows.indices.map {
            LedgerSegment(batches: rows.int64($0, 0)..<rows.int64($0, 1), isIndexed: rows.bool($0, 2))
        }
    }
}

/// The indexes that readers want and that are built beside the work.
public enum ReadingIndexStore {
    static let lockStatement = Statement(
        "reading_index_lock", "select pg_try_advisory_lock(\(AdvisoryLock.readingIndexes), 1)")
    static let unlockStatement = Statement(
        "reading_index_unlock", "select pg_advisory_unlock(\(AdvisoryLock.readingIndexes), 1)")
    static let workStatement = Statement("reading_index_work", "select statement from reading_index_work($1)")
    static let rangeInUseStatement = Statement(
        "reading_index_range_in_use", "select ledger_range_of(last_value) from batch_numbers")

    static let ownerStatement = Statement(
        "reading_index_owner",
        "select pg_has_role(relowner, 'USAGE') from pg_class where oid = 'ledger_entries'::regclass")

    /// Whether this session is that of the tables' owner, who alone may build indexes on them.
    public static func mayBuild(on connection: PostgresConnection) throws(DatabaseError) -> Bool {
        try connection.query(ownerStatement).bool(0, 0)
    }

    /// What is missing, as the statements that mend it.
    public static func work(on connection: PostgresConnection) throws(DatabaseError) -> [String] {
        try work(decided: BatchHorizon.newest(on: connection), on: connection)
    }

    /// - Parameter decided: every batch up to it is there for good, or never will be.
    private static func work(
        decided: BatchNumber, on connection: PostgresConnection
    ) throws(DatabaseError) -> [String] {
        let rows = try connection.query(workStatement, .int8(decided))
        return rows.indices.map { rows.string($0, 0) }
    }

    /// Does the next thing that is missing, if another process is not at it; returns what it was, or nil for nothing.
    ///
    /// A build that is interrupted leaves an index that nobody uses and that the next call takes away. A range that was
    /// left, but into which a batch may still come after the patience, is for another time.
    public static func advance(
        on connection: PostgresConnection, patience: Duration = .seconds(1)
    ) throws(DatabaseError) -> String? {
        guard try connection.query(lockStatement).bool(0, 0) else { return nil }
        defer { _ = try? connection.query(unlockStatement) }
        let horizon = try BatchHorizon(on: connection)
        let isReached = try horizon.wait(on: connection, patience: patience)
        guard let statement = try work(decided: isReached ? horizon.newest : -1, on: connection).first else {
            return nil
        }
        // A second core would make it no faster.
        try connection.script("set max_parallel_maintenance_workers = 0")
        try connection.script(statement)
        return statement
    }

    /// The range of the ledger that entries are appended to.
    public static func rangeInUse(on connection: PostgresConnection) throws(DatabaseError) -> Int64 {
        try connection.query(rangeInUseStatement).int64(0, 0)
    }
}
