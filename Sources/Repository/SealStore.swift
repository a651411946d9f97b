import AuditTrail
import TradeModel

/// Table `ledger_seals`, and what seals are made of.
public enum SealStore {
    /// The plan of a statement over a stretch: by the summaries of batch numbers, and row by row from there, whatever
    /// the planner makes of tables that it knows little of.
    static let settings = """
        set local plan_cache_mode = force_custom_plan; set local enable_seqscan = off;
        set local enable_hashjoin = off; set local enable_mergejoin = off; set local max_parallel_workers_per_gather = 0
        """

    private static let columns =
        "seal_no, first_batch, next_batch, "
        + SealedTable.allCases.map { "\($0.rawValue), \($0.rawValue)_digest" }.joined(separator: ", ")
        + ", sealed_at, chain"

    static let lastStatement = Statement(
        "seals_last", "select \(columns) from ledger_seals order by seal_no desc limit 1")
    static let listStatement = Statement(
        "seals_list", "select \(columns) from ledger_seals where seal_no > $1 order by seal_no limit $2")
    static let coveringStatement = Statement(
        "seals_covering",
        """
        select coalesce((select min(seal_no) from ledger_seals where next_batch > $1), 0),
               coalesce((select max(seal_no) from ledger_seals where first_batch <= $2), 0)
        """)
    static let insertStatement = Statement(
        "seals_insert",
        "insert into ledger_seals (\(columns)) values ("
            + (1...(5 + 2 * SealedTable.allCases.count)).map { "$\($0)" }.joined(separator: ", ") + ")")

    /// The newest seal; nil before the first.
    public static func last(on connection: PostgresConnection) throws(DatabaseError) -> Seal? {
        try decode(connection.query(lastStatement)).first
    }

    /// Seals behind one of them, in their order.
    public static func list(
        after number: Int64, limit: Int, on connection: PostgresConnection
    ) throws(DatabaseError) -> [Seal] {
        try decode(connection.query(listStatement, .int8(number), .int8(Int64(limit))))
    }

    static let containingStatement = Statement(
        "seals_containing",
        """
        select \(columns) from (select * from ledger_seals where first_batch <= $1 order by first_batch desc limit 1) s
         where next_batch > $1
        """)

    /// The seal that covers a batch; nil while none does.
    public static func containing(
        _ batch: BatchNumber, on connection: PostgresConnection
    ) throws(DatabaseError) -> Seal? {
        try decode(connection.query(containingStatement, .int8(batch))).first
    }

    /// The numbers of the first and the last seal that have one of these batches; 0 for none.
    public static func covering(
        _ batches: ClosedRange<BatchNumber>, on connection: PostgresConnection
    ) throws(DatabaseError) -> (first: Int64, last: Int64) {
        let rows = try connection.query(coveringStatement, .int8(batches.lowerBound), .int8(batches.upperBound))
        return (rows.int64(0, 0), rows.int64(0, 1))
    }

    static func insert(_ seal: Seal, on connection: PostgresConnection) throws(DatabaseError) {
        let bounds: [Parameter] = [
            .int8(seal.number), .int8(seal.batches.lowerBound), .int8(seal.batches.upperBound),
        ]
        let contents = seal.contents.flatMap { [Parameter.int8($0.lines), .bytes($0.digest.bytes)] }
        try connection.query(
            Request(insertStatement, bounds + contents + [.timestamp(seal.sealedAt), .bytes(seal.chain.bytes)]))
    }

    private static func decode(_ rows: Rows) -> [Seal] {
        rows.indices.map { row in
            let contents = SealedTable.allCases.indices.map { table in
                Seal.Content(
                    lines: rows.int64(row, 3 + 2 * table), digest: digest(rows, row, 4 + 2 * table))
            }
            let end = 3 + 2 * contents.count
            return Seal(
                number: rows.int64(row, 0), first: rows.int64(row, 1), next: rows.int64(row, 2), contents: contents,
                sealedAt: rows.timestamp(row, end), chain: digest(rows, row, end + 1))
        }
    }

    /// A column of another length can only be somebody's doing; it is none of a seal's digests.
    private static func digest(_ rows: Rows, _ row: Int, _ column: Int) -> Digest {
        Digest(rows.byteArray(row, column)) ?? .zero
    }

    // MARK: What is sealed

    /// What a stretch holds now, and the server's time.
    ///
    /// - Parameter linesMax: of each table in order; what is beyond is not gone through.
    static func contents(
        of batches: Range<BatchNumber>, linesMax: [Int64]?, on connection: PostgresConnection
    ) throws(DatabaseError) -> (contents: [Seal.Content], at: Timestamp) {
        let limits = linesMax ?? SealedTable.allCases.map { _ in Int64.max }
        let rows = try connection.query(
            SealedLines.digestsStatement, .int8(batches.lowerBound), .int8(batches.upperBound),
            .int8s(limits) { $0 })
        let contents = SealedTable.allCases.indices.map { table in
            Seal.Content(lines: rows.int64(0, 2 * table), digest: digest(rows, 0, 2 * table + 1))
        }
        return (contents, rows.timestamp(0, 2 * contents.count))
    }

    /// The lines of one table in the stretch of a seal.
    public static func lines(
        _ table: SealedTable, of batches: Range<BatchNumber>, on connection: PostgresConnection
    ) throws(DatabaseError) -> [String] {
        try connection.transaction { () throws(DatabaseError) in
            try connection.script(settings)
            let rows = try connection.query(
                SealedLines.statement(table), .int8(batches.lowerBound), .int8(batches.upperBound))
            return rows.indices.map { rows.string($0, 0) }
        }
    }
}

extension Seal {
    /// As the table has it: bounds that nobody could seal are kept from trapping.
    fileprivate init(
        number: Int64, first: Int64, next: Int64, contents: [Content], sealedAt: Timestamp, chain: Digest
    ) {
        self.init(
            number: number, batches: first..<max(first, next), contents: contents, sealedAt: sealedAt, chain: chain)
    }
}
