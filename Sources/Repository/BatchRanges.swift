import TradeModel

/// Cuts the books into ranges of batches, each of so many entries or a few more: what one short snapshot takes.
struct BatchRanges {
    let entries: Int64
    let connection: PostgresConnection

    /// For the transaction that reads a range. A sort of one range stays in memory or goes to a file of the server. A
    /// plan is made for the batches at hand, which says what they mean for each partition and its summary of batch
    /// numbers.
    static let settings = """
        set local work_mem = '64MB'; set local plan_cache_mode = force_custom_plan; set local enable_seqscan = off
        """

    static let endStatement = Statement(
        "verify_range_end",
        """
        select batch_no from (
            select batch_no, sum(entries) over (order by batch_no) as entries
              from batches where batch_no between $1 and $2 order by batch_no) b
         where entries >= $3 order by batch_no limit 1
        """)

    /// The last batch of the range that begins with one; nil where there are not enough entries up to another.
    func end(from first: BatchNumber, upTo last: BatchNumber) throws(DatabaseError) -> BatchNumber? {
        guard first <= last else { return nil }
        let rows = try connection.query(Self.endStatement, .int8(first), .int8(last), .int8(entries))
        return rows.count == 0 ? nil : rows.int64(0, 0)
    }
}
