import TradeModel

/// A stretch of the ledger's batches, with an index by account or, at the end that grows, without.
struct LedgerSegment: Hashable, Sendable {
    let batches: Range<BatchNumber>
    let isIndexed: Bool
}

enum LedgerSegmentStore {
    static let readStatement = Statement(
        "ledger_segments", "select first_batch, next_batch, is_indexed from ledger_segments() order by first_batch")

    /// All of the ledger in order, without a gap.
    static func read(_ connection: PostgresConnection) throws(DatabaseError) -> [LedgerSegment] {
        let rows = try connection.query(readStatement)
        return rows.indices.map {
            LedgerSegment(batches: rows.int64($0, 0)..<rows.int64($0, 1), isIndexed: rows.bool($0, 2))
        }
    }
}

/// The indexes that readers want and that are built beside the work.
public enum ReadingIndexStore {
    /// So many entries at the end of the ledger may lack an index by account: what one reader may have to go through.
    public static let pieceEntriesMax: Int64 = 200_000

    static let lockStatement = Statement(
        "reading_index_lock", "select pg_try_advisory_lock(\(AdvisoryLock.readingIndexes), 1)")
    static let unlockStatement = Statement(
        "reading_index_unlock", "select pg_advisory_unlock(\(AdvisoryLock.readingIndexes), 1)")
    static let workStatement = Statement("reading_index_work", "select statement from reading_index_work($1)")
    static let growthStatement = Statement(
        "reading_index_growth",
        """
        select n.last_value, (select coalesce(sum(b.entries), 0)::bigint from batches b where b.batch_no > $1)
          from batch_numbers n
        """)
    static let summarizeTradesStatement = Statement(
        "reading_index_summarize_trades",
        """
        select brin_summarize_new_values(c.oid) from pg_inherits i join pg_class t on t.oid = i.inhrelid
          join pg_index x on x.indrelid = t.oid and x.indisvalid
          join pg_class c on c.oid = x.indexrelid
           and c.relname in (t.relname || '_by_arrival', t.relname || '_by_batch')
         where i.inhparent = 'trades'::regclass
        """)
    static let summarizeLedgerStatement = Statement(
        "reading_index_summarize_ledger",
        """
        select brin_summarize_new_values(c.oid) from batch_numbers n
          join ledger_ranges() r on ledger_range_of(n.last_value) - r.range_no in (0, 1)
          join pg_index x on x.indrelid = r.relation and x.indisvalid
          join pg_class c on c.oid = x.indexrelid and c.relname = format('ledger_entries_%s_by_batch', r.range_no)
        """)

    /// Does the next thing that is missing, if another process is not at it; returns what it was, or nil for nothing.
    ///
    /// A build that is interrupted leaves an index that nobody uses and that the next call takes away.
    public static func advance(
        on connection: PostgresConnection, pieceEntries: Int64 = pieceEntriesMax
    ) throws(DatabaseError) -> String? {
        guard try connection.query(lockStatement).bool(0, 0) else { return nil }
        defer { _ = try? connection.query(unlockStatement) }
        let work = try connection.query(workStatement, .int8(pieceEntries))
        guard work.count > 0 else { return nil }
        let statement = work.string(0, 0)
        try connection.script(statement)
        return statement
    }

    /// The newest number of a batch, and how many entries those after a certain one have: what tells, at little cost,
    /// whether something may be missing.
    public static func growth(
        since number: BatchNumber, on connection: PostgresConnection
    ) throws(DatabaseError) -> (newest: BatchNumber, entries: Int64) {
        let rows = try connection.query(growthStatement, .int8(number))
        return (rows.int64(0, 0), rows.int64(0, 1))
    }

    /// Brings the summaries of arrivals and of batches up to the newest trades and entries. Gives way to a vacuum,
    /// which does the same.
    public static func summarize(on connection: PostgresConnection) throws(DatabaseError) {
        try connection.script("set lock_timeout = 100")
        for statement in [summarizeTradesStatement, summarizeLedgerStatement] {
            do {
                try connection.query(statement)
            } catch  where error.sqlState == DatabaseError.lockNotAvailable {}
        }
        try connection.script("set lock_timeout = 0")
    }
}
