import TradeModel

/// A number for a batch, and when it was given out.
public struct GivenBatchNumber: Sendable {
    public let number: BatchNumber
    let at: Timestamp
}

/// Table `batches`, and the numbers of it.
public enum BatchStore {
    static let nextNumberStatement = Statement(
        "batches_next", "select n, clock_timestamp(), ensure_ledger_range(n) from nextval('batch_numbers') n")

    /// A number for a batch to come, with the ledger's range for it. Numbers that are not used are no loss.
    public static var nextNumber: Request { Request(nextNumberStatement) }

    public static func decodeNextNumber(_ rows: Rows) -> GivenBatchNumber {
        GivenBatchNumber(number: rows.int64(0, 0), at: rows.timestamp(0, 1))
    }

    static let insertStatement = Statement(
        "batches_insert",
        """
        insert into batches (batch_no, worker_no, trades, operations, rejected, entries)
        values (timely_batch($1, $7), $2, $3, $4, $5, $6)
        """)

    /// The row of a batch; fails, to be tried again, when its number was given out too long ago.
    public static func insert(
        _ batch: GivenBatchNumber, worker: Int64?, trades: Int, operations: Int, rejected: Int, entries: Int
    ) -> Request {
        Request(
            insertStatement,
            [
                .int8(batch.number), .int8(worker), .int4(Int32(trades)), .int4(Int32(operations)),
                .int4(Int32(rejected)), .int4(Int32(entries)), .timestamp(batch.at),
            ])
    }

    static let maintainStatement = Statement("ledger_maintain", "select maintain_ledger_ranges()")

    /// Makes the next range of the ledger ahead of its use, and moves on to it when the newest is full.
    public static var maintain: Request { Request(maintainStatement) }
}
