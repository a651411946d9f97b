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
    static let workStatement = Statement("reading_index_work", "select statement from reading_index_work()")
    static let rangeInUseStatement = Statement(
        "reading_index_range_in_use", "select ledger_range_of(last_value) from batch_numbers")
    static let summarizeTradesStatement = Statement(
        "reading_index_summarize_trades",
        """
        select brin_summarize_new_values(c.oid)
          from (select inhrelid as oid from pg_inherits where inhparent = 'trades'::regclass
                union all
                select 'operations'::regclass) t
          join pg_index x on x.indrelid = t.oid and x.indisvalid
          join pg_class c on c.oid = x.indexrelid
          join pg_am a on a.oid = c.relam and a.amname = 'brin'
        """)
    /// Only what is full: the summary of a stretch that grows would be changed by each entry.
    static let summarizeLedgerStatement = Statement(
        "reading_index_summarize_ledger",
        """
        select coalesce(sum(brin_summarize_range(c.oid, block)), 0) from batch_numbers n
          join ledger_ranges() r on ledger_range_of(n.last_value) - r.range_no in (0, 1)
          join pg_index x on x.indrelid = r.relation and x.indisvalid
          join pg_class c on c.oid = x.indexrelid and c.relname = format('ledger_entries_%s_by_batch', r.range_no)
          cross join generate_series(
              0, pg_relation_size(r.relation) / current_setting('block_size')::int - 32, 32) block
        """)

    static let ownerStatement = Statement(
        "reading_index_owner",
        "select pg_has_role(relowner, 'USAGE') from pg_class where oid = 'ledger_entries'::regclass")

    /// Whether this session is that of the tables' owner, who alone may build indexes on them.
    public static func mayBuild(on connection: PostgresConnection) throws(DatabaseError) -> Bool {
        try connection.query(ownerStatement).bool(0, 0)
    }

    /// What is missing, as the statements that mend it.
    public static func work(on connection: PostgresConnection) throws(DatabaseError) -> [String] {
        let rows = try connection.query(workStatement)
        return rows.indices.map { rows.string($0, 0) }
    }

    /// Does the next thing that is missing, if another process is not at it; returns what it was, or nil for nothing.
    ///
    /// A build that is interrupted leaves an index that nobody uses and that the next call takes away.
    public static func advance(on connection: PostgresConnection) throws(DatabaseError) -> String? {
        guard try connection.query(lockStatement).bool(0, 0) else { return nil }
        defer { _ = try? connection.query(unlockStatement) }
        guard let statement = try work(on: connection).first else { return nil }
        try connection.script(statement)
        return statement
    }

    /// The range of the ledger that entries are appended to.
    public static func rangeInUse(on connection: PostgresConnection) throws(DatabaseError) -> Int64 {
        try connection.query(rangeInUseStatement).int64(0, 0)
    }

    /// Brings the summaries up to what came last.
    public static func summarize(on connection: PostgresConnection) throws(DatabaseError) {
        try summarizeTrades(on: connection)
        try summarizeLedger(on: connection)
    }

    /// Says which arrivals and which batches are where among the newest trades and operations.
    public static func summarizeTrades(on connection: PostgresConnection) throws(DatabaseError) {
        try summarize(summarizeTradesStatement, on: connection)
    }

    /// Says which batches and which accounts are where among the newest entries.
    public static func summarizeLedger(on connection: PostgresConnection) throws(DatabaseError) {
        try summarize(summarizeLedgerStatement, on: connection)
    }

    /// Gives way to a vacuum, which does the same.
    private static func summarize(
        _ statement: Statement, on connection: PostgresConnection
    ) throws(DatabaseError) {
        try connection.script("set lock_timeout = 100")
        do {
            try connection.query(statement)
        } catch  where error.sqlState == DatabaseError.lockNotAvailable {}
        try connection.script("set lock_timeout = 0")
    }
}
