import TradeModel

/// Table `batches`, and the numbers of it.
public enum BatchStore {
    /// What gives the number stands in a subquery, which is not merged with what uses it twice.
    static let enterStatement = Statement(
        "batches_enter",
        """
        select n, entered, case when ledger_range_of(n) > ledger_range_of($2) then ensure_ledger_range(n) end
          from (select (select count(pg_advisory_xact_lock_shared(\(AdvisoryLock.market), market_no))
                          from (select unnest($1) as market_no) wanted) as entered,
                       nextval('batch_numbers') as n) given
        """)

    /// The first statement of each batch: gives it its number, which those that follow take by ``numberAtHand``, and
    /// enters its markets until the end of the transaction: nobody halts them meanwhile, or seals the queue.
    ///
    /// Numbers that are not used are no loss. The locks of markets are shared and in memory alone, so that batches do
    /// not notice each other. Whether a market is halted is asked in a later statement, which sees what was committed
    /// before the lock was given.
    ///
    /// The ledger's range for the number is looked for, and made if need be, where the number begins a new one.
    ///
    /// - Parameter newest: the last batch that this connection has committed, so that its range is there; -1 before the
    ///   first.
    public static func enter(_ markets: some Collection<MarketNumber>, after newest: BatchNumber) -> Request {
        let locked = markets.isEmpty ? [] : [MarketNumber(AdvisoryLock.allMarkets)] + markets.sorted()
        return Request(enterStatement, [.int4s(locked) { $0 }, .int8(newest)])
    }

    public static func decodeNumber(_ rows: Rows) -> BatchNumber { rows.int64(0, 0) }

    /// The SQL for the number of the batch that this transaction has entered; looked up once a statement.
    static let numberAtHand = "(select currval('batch_numbers'))"

    /// Takes six parameters, the number of the batch first.
    static let insertion = """
        insert into batches (batch_no, worker_no, trades, operations, rejected, entries)
        values (timely_batch($1, now()), $2, $3, $4, $5, $6)
        """
    static let insertStatement = Statement("batches_insert", insertion)

    /// The row of a batch and its entries; fails, to be tried again, when its transaction, and with it its number, is
    /// too old.
    public static func insert(
        _ batch: BatchNumber, worker: Int64?, trades: Int, operations: Int, rejected: Int, entries: [LedgerEntry]
    ) -> Request {
        let row: [Parameter] = [
            .int8(batch), .int8(worker), .int4(Int32(trades)), .int4(Int32(operations)), .int4(Int32(rejected)),
            .int4(Int32(entries.count)),
        ]
        return entries.isEmpty ? Request(insertStatement, row) : LedgerStore.append(entries, toBatch: row)
    }

    static let maintainStatement = Statement("ledger_maintain", "select maintain_ledger_ranges()")

    /// Makes the next range of the ledger ahead of its use, and moves on to it when the newest is full.
    public static var maintain: Request { Request(maintainStatement) }
}
