import AuditTrail
import TradeModel

/// Goes along the chain of seals and compares what each covers with what is in the tables now.
///
/// One stretch at a time, each in a statement of its own: sealed stretches do not change, so no snapshot is held.
public struct SealVerification {
    /// Something that is not as it was sealed.
    public struct Finding: Hashable, Sendable {
        /// What was changed: a table, or the seals themselves.
        public enum Place: Hashable, Sendable {
            case table(SealedTable)
            case batch(BatchNumber)
            case seal
        }

        public let seal: Int64
        /// The batches that it is about; nil where nobody can say.
        public let batches: Range<BatchNumber>?
        /// When those were committed that are there.
        public let committed: ClosedRange<Timestamp>?
        public let place: Place
        public let detail: String

        /// Something about a seal itself.
        static func ofSeal(_ seal: Int64, _ detail: String, batches: Range<BatchNumber>? = nil) -> Finding {
            Finding(seal: seal, batches: batches, committed: nil, place: .seal, detail: detail)
        }
    }

    /// What no seal covers yet.
    public struct Unsealed: Hashable, Sendable {
        public let batches: Int64
        public let entries: Int64
        public let oldest: Timestamp?
    }

    private static let pageMax = 500
    /// So many batches of a damaged stretch are named.
    static let batchesNamedMax: Int64 = 10

    private let connection: PostgresConnection
    private let marks: [SealMark]
    private var page: ArraySlice<Seal> = []
    /// The seal before the next; nil when it is not there, or when its own chain is not to be relied on.
    private var previous: SealMark?
    private var previousEnd: BatchNumber?
    /// The chain that a changed seal should have.
    private var repaired: Digest?
    private var isAtEnd = false
    private var lastNumber: Int64
    public private(set) var head: SealMark
    public private(set) var sealCount: Int64 = 0
    public private(set) var lines: [SealedTable: Int64] = [:]

    /// - Parameters:
    ///   - first: the seal to begin with; those before it are taken as they are.
    ///   - marks: places that must be in the chain.
    public init(from first: Int64 = 1, marks: [SealMark] = [], on connection: PostgresConnection) throws(DatabaseError)
    {
        try connection.liftStatementTimeout()
        self.connection = connection
        self.marks = marks
        lastNumber = first - 1
        head = .start
        if first <= 1 {
            previous = .start
            previousEnd = 0
        } else if let seal = try SealStore.list(after: first - 2, limit: 1, on: connection).first, seal.number < first {
            previous = SealMark(seal)
            previousEnd = seal.batches.upperBound
            head = SealMark(seal)
        }
    }

    static let countStatement = Statement("chain_count", "select count(*) from ledger_seals where seal_no >= $1")

    /// How many seals there are to be looked at, for progress.
    public func total() throws(DatabaseError) -> Int {
        Int(try connection.query(Self.countStatement, .int8(lastNumber + 1)).int64(0, 0))
    }

    /// Looks at the next seal and returns what is wrong with it; nil behind the last.
    public mutating func next() throws(DatabaseError) -> [Finding]? {
        if page.isEmpty, !isAtEnd {
            page = try SealStore.list(after: lastNumber, limit: Self.pageMax, on: connection)[...]
            isAtEnd = page.count < Self.pageMax
        }
        guard let seal = page.popFirst() else { return nil }
        var findings = missing(before: seal) + chainFaults(of: seal)
        findings += try contentFaults(of: seal)
        for mark in marks where mark.seal == seal.number && mark.chain != seal.chain {
            findings.append(
                .ofSeal(seal.number, "has the hash \(seal.chain), not the noted \(mark.chain)"))
        }
        head = SealMark(seal)
        lastNumber = seal.number
        previousEnd = seal.batches.upperBound
        sealCount += 1
        for (table, content) in zip(SealedTable.allCases, seal.contents) { lines[table, default: 0] &+= content.lines }
        return findings
    }

    // MARK: The seals themselves

    private func missing(before seal: Seal) -> [Finding] {
        var detail: String?
        if seal.number > lastNumber + 1 {
            detail = lastNumber + 2 == seal.number ? "is missing" : "to seal \(seal.number - 1) are missing"
        } else if let previousEnd, seal.batches.lowerBound != previousEnd {
            detail = "does not begin where seal \(lastNumber) ends"
        }
        return detail.map {
            let gap = previousEnd.map { min($0, seal.batches.lowerBound)..<max($0, seal.batches.lowerBound) }
            return [
                Finding.ofSeal(min(lastNumber + 1, seal.number), $0, batches: gap)
            ]
        } ?? []
    }

    /// Only one of two neighbours is named: what follows from the chain that the seal before should have is right.
    private mutating func chainFaults(of seal: Seal) -> [Finding] {
        defer { previous = SealMark(seal) }
        guard let previous, previous.seal + 1 == seal.number else {
            repaired = nil
            return []
        }
        let expected = seal.chained(to: previous.chain)
        let isRight = expected == seal.chain || repaired.map { seal.chained(to: $0) } == seal.chain
        repaired = isRight ? nil : expected
        guard !isRight else { return [] }
        return [
            .ofSeal(
                seal.number, "was changed: its hash does not follow from what it says and the seal before",
                batches: seal.batches)
        ]
    }

    /// What is not found in the chain at its end, and what should be under no number.
    public func remaining() throws(DatabaseError) -> [Finding] {
        var findings: [Finding] = []
        for mark in marks where mark.seal > lastNumber {
            findings.append(
                .ofSeal(mark.seal, "was noted and is missing: the chain ends with seal \(head.seal)"))
        }
        for mark in marks where mark.seal == 0 && mark != .start {
            findings.append(
                .ofSeal(0, "is none; before seal 1 is zero"))
        }
        let rows = try connection.query(Self.belowStatement)
        for row in rows.indices {
            findings.append(
                Finding(
                    seal: 0, batches: nil, committed: nil, place: .batch(rows.int64(row, 0)),
                    detail: "stands before the first batch there can be"))
        }
        return findings
    }

    static let belowStatement = Statement(
        "chain_below",
        """
        select batch_no from (
            (select batch_no from batches where batch_no < 0 limit 1) union
            (select batch_no from ledger_entries where batch_no < 0 limit 1) union
            (select batch_no from trades where batch_no < 0 limit 1) union
            (select batch_no from operations where batch_no < 0 limit 1) union
            (select batch_no from reversals where batch_no < 0 limit 1)) b
        """)

    static let unsealedStatement = Statement(
        "chain_unsealed",
        """
        select count(*), coalesce(sum(entries), 0)::bigint, min(committed_at) from batches
         where batch_no >= coalesce((select next_batch from ledger_seals order by seal_no desc limit 1), 0)
        """)

    /// What was committed and stands in no seal yet.
    public static func unsealed(on connection: PostgresConnection) throws(DatabaseError) -> Unsealed {
        let rows = try connection.query(unsealedStatement)
        return Unsealed(
            batches: rows.int64(0, 0), entries: rows.int64(0, 1), oldest: rows.optional(0, 2, rows.timestamp))
    }

    // MARK: What they cover

    private func contentFaults(of seal: Seal) throws(DatabaseError) -> [Finding] {
        // One row more than was sealed shows that something was added, however much.
        let limits = seal.contents.map { $0.lines == .max ? .max : max($0.lines, 0) + 1 }
        let found = try connection.transaction { () throws(DatabaseError) in
            try connection.script(SealStore.settings)
            return try SealStore.contents(of: seal.batches, linesMax: limits, on: connection).contents
        }
        let damaged = zip(SealedTable.allCases, zip(seal.contents, found)).filter { $0.1.0 != $0.1.1 }
        guard !damaged.isEmpty else { return [] }
        let committed = try committed(seal.batches)
        var findings = damaged.map { table, contents in
            let (sealed, now) = contents
            let difference =
                now.lines == sealed.lines
                ? "\(sealed.lines) sealed, as many now, but not the same"
                : now.lines > sealed.lines
                    ? "\(sealed.lines) sealed, more now" : "\(sealed.lines) sealed, \(now.lines) now"
            return Finding(
                seal: seal.number, batches: seal.batches, committed: committed, place: .table(table),
                detail: difference)
        }
        let rows = try connection.transaction { () throws(DatabaseError) in
            try connection.script(SealStore.settings)
            return try connection.query(
                Self.suspectsStatement, .int8(seal.batches.lowerBound), .int8(seal.batches.upperBound),
                .int8(Self.batchesNamedMax))
        }
        findings += rows.indices.map { row in
            Finding(
                seal: seal.number, batches: seal.batches, committed: committed, place: .batch(rows.int64(row, 0)),
                detail: rows.string(row, 1))
        }
        return findings
    }

    static let committedStatement = Statement(
        "chain_committed",
        """
        select min(committed_at), max(committed_at) from batches
         where batch_no >= $1 and batch_no < $2 and isfinite(committed_at)
        """)

    private func committed(_ batches: Range<BatchNumber>) throws(DatabaseError) -> ClosedRange<Timestamp>? {
        let rows = try connection.query(
            Self.committedStatement, .int8(batches.lowerBound), .int8(batches.upperBound))
        guard !rows.isNull(0, 0) else { return nil }
        return rows.timestamp(0, 0)...rows.timestamp(0, 1)
    }

    /// The batches of a stretch that do not agree with themselves, which narrows down where it was changed.
    static let suspectsStatement = Statement(
        "chain_suspects",
        """
        with entries as materialized (
            select * from ledger_entries where batch_no >= $1 and batch_no < $2),
        sums as (
            select batch_no, asset_no, count(*) as entries, sum(available_delta + frozen_delta) as total
              from entries group by 1, 2),
        counted as (
            select batch_no, sum(entries) as entries, count(*) filter (where total <> 0) as unbalanced
              from sums group by 1),
        traded as (
            select batch_no, count(*) as trades from trades
             where batch_no >= $1 and batch_no < $2 and status = 'SETTLED' group by 1),
        operated as (
            select batch_no, count(*) as operations from operations where batch_no >= $1 and batch_no < $2 group by 1),
        there as (select * from batches where batch_no >= $1 and batch_no < $2),
        suspects as (
            select coalesce(b.batch_no, c.batch_no) as batch_no,
                   case when b.batch_no is null then 'is not there, but has ' || c.entries || ' entries'
                        else 'says ' || b.entries || ' entries, has ' || coalesce(c.entries, 0) end as detail
              from there b full join counted c using (batch_no)
             where b.entries is distinct from coalesce(c.entries, 0)
            union all
            select batch_no, 'its entries do not sum to zero' from counted where unbalanced > 0
            union all
            select coalesce(b.batch_no, t.batch_no), 'says ' || coalesce(b.trades, 0) || ' settled trades, has '
                   || coalesce(t.trades, 0)
              from there b full join traded t using (batch_no) where coalesce(b.trades, 0) <> coalesce(t.trades, 0)
            union all
            select coalesce(b.batch_no, o.batch_no), 'says ' || coalesce(b.operations, 0) || ' operations, has '
                   || coalesce(o.operations, 0)
              from there b full join operated o using (batch_no)
             where coalesce(b.operations, 0) <> coalesce(o.operations, 0)
            union all
            select batch_no, 'the balance after its entry at place ' || place || ' does not follow from the one before'
              from (select batch_no, place, available_after - available_delta as available,
                           frozen_after - frozen_delta as frozen,
                           lag(available_after) over balance as available_before,
                           lag(frozen_after) over balance as frozen_before,
                           version - lag(version) over balance as step
                      from entries window balance as (partition by account_no, asset_no order by version, place)) r
             where step is not null
               and (step, available, frozen) is distinct from (1::bigint, available_before, frozen_before))
        select batch_no, detail from suspects order by batch_no, detail limit $3
        """)
}
