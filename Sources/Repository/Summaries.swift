import TradeModel

/// Keeps up to date what the BRIN indexes say of the pages to which entries, trades and operations are appended.
///
/// It gives way to a vacuum, which does the same, and to an index that is being built: the server would log each time
/// that a lock was not to be had, so it looks first.
public struct Summaries: Sendable {
    static let ledgerStatement = Statement(
        "summaries_ledger",
        """
        with ledger as (
            select l.relation, pg_relation_size(l.relation) / current_setting('block_size')::int / 32 * 32 as filled,
                   exists (select from pg_locks k join pg_database d on d.oid = k.database
                            where d.datname = current_database() and k.relation = l.relation and k.granted
                              and k.mode in ('ShareUpdateExclusiveLock', 'ShareLock')) as is_taken
              from (select to_regclass(format('ledger_entries_%s', $1)) as relation) l)
        select filled, (select sum(brin_summarize_range(x.indexrelid, page))
                          from pg_index x, generate_series($2, filled - 32, 32) page
                         where x.indexrelid = to_regclass(format('ledger_entries_%s_by_batch', $1)) and x.indisvalid)
          from ledger where relation is not null and not is_taken
        """)
    static let tradesStatement = Statement(
        "summaries_trades",
        """
        select brin_summarize_new_values(c.oid)
          from (select inhrelid as oid from pg_inherits where inhparent = 'trades'::regclass
                union all
                select 'operations'::regclass) t
          join pg_index x on x.indrelid = t.oid and x.indisvalid
          join pg_class c on c.oid = x.indexrelid
          join pg_am a on a.oid = c.relam and a.amname = 'brin'
        """)

    /// The first page without a summary of the range of the ledger in use and of the one before, into which batches may
    /// come late.
    private var pages: [Int64: Int64] = [:]

    public init() {}

    /// Says which batches and which accounts are where among the newest entries.
    ///
    /// Only of stretches of pages that are full: the summary of one that grows would be changed by each entry.
    public mutating func bringLedgerUp(on connection: PostgresConnection) throws(DatabaseError) {
        let inUse = try ReadingIndexStore.rangeInUse(on: connection)
        let known = pages
        pages = [:]
        for range in max(0, inUse - 1)...inUse {
            let page = known[range] ?? 0
            pages[range] = try Self.summarize(range, from: page, on: connection) ?? page
        }
    }

    /// Says which arrivals and which batches are where among the newest trades and operations.
    public static func bringTradesUp(on connection: PostgresConnection) throws(DatabaseError) {
        _ = try givingWay(on: connection) { () throws(DatabaseError) in _ = try connection.query(tradesStatement) }
    }

    /// Returns the first page without a summary; nil when something was in the way.
    private static func summarize(
        _ range: Int64, from page: Int64, on connection: PostgresConnection
    ) throws(DatabaseError) -> Int64? {
        try givingWay(on: connection) { () throws(DatabaseError) in
            let rows = try connection.query(ledgerStatement, .int8(range), .int8(page))
            return rows.count == 0 ? nil : rows.int64(0, 0)
        } ?? nil
    }

    private static func givingWay<Value>(
        on connection: PostgresConnection, _ work: () throws(DatabaseError) -> Value
    ) throws(DatabaseError) -> Value? {
        try connection.script("set lock_timeout = 100")
        var value: Value?
        do { value = try work() } catch  where error.sqlState == DatabaseError.lockNotAvailable {}
        try connection.script("set lock_timeout = 0")
        return value
    }
}
