import TradeModel

/// Goes through the batches range by range, and remembers how far the entries of each balance follow from each other.
///
/// Whoever walks opens a transaction for each range: one snapshot, in which everything is asked that is local to the
/// range. What is asked of the tables as they stand comes at the end, in one snapshot with what came behind the ranges.
struct VerificationWalk {
    private let connection: PostgresConnection
    private let verified: VerifiedBalances
    private let ranges: BatchRanges
    /// The first batch that was not looked at.
    private(set) var next: BatchNumber
    private var found: [String: [Verification.Violation]] = [:]
    private var counted: Verification.Report

    init(
        _ kind: Verification.Kind, on connection: PostgresConnection, verified: VerifiedBalances,
        from next: BatchNumber,
        rangeEntries: Int64
    ) {
        self.connection = connection
        self.verified = verified
        ranges = BatchRanges(entries: rangeEntries, connection: connection)
        self.next = next
        counted = Verification.Report(kind: kind, fromBatch: max(next, 1), toBatch: max(next, 1) - 1)
    }

    var entries: Int64 { counted.entries }
    var isClean: Bool { found.isEmpty }

    /// What was found so far, in the order of the checks.
    var report: Verification.Report {
        var report = counted
        report.violations = (Verification.rangeChecks(verified) + Verification.standingChecks(verified))
            .flatMap { found[$0.statement.name] ?? [] }
        return report
    }

    /// Beside the settling one core is enough.
    private static let besideSettings = BatchRanges.settings + "; set local max_parallel_workers_per_gather = 0"
    /// What asks the tables as they stand goes through them.
    private static let standingSettings = "set local enable_seqscan = on"

    /// Whether there is a whole range that was not looked at.
    func hasRange() throws(DatabaseError) -> Bool { try rangeEnd(upTo: Verification.lastNumber) != nil }

    /// The last batch of the next range; nil where there are not enough entries up to a batch.
    func rangeEnd(upTo last: BatchNumber) throws(DatabaseError) -> BatchNumber? {
        try ranges.end(from: next, upTo: last)
    }

    /// Looks at the batches up to one of them, within a transaction.
    mutating func check(upTo last: BatchNumber) throws(DatabaseError) {
        try connection.script(counted.kind == .worker ? Self.besideSettings : BatchRanges.settings)
        let checks = Verification.rangeChecks(verified)
        let range: [Parameter] = [.int8(next), .int8(last)]
        let limit = Parameter.int8(Int64(Verification.violationsMax))
        let answers = try connection.pipeline(
            checks.map { Request($0.statement, range + [limit]) } + [Request(Self.countsStatement, range)])
        for (check, rows) in zip(checks, answers) { note(rows, of: check) }
        counted.entries += answers[checks.count].int64(0, 0)
        counted.settledTrades += answers[checks.count].int64(0, 1)
        counted.toBatch = answers[checks.count].optional(0, 2, answers[checks.count].int64) ?? counted.toBatch
        if last < Verification.lastNumber { next = last + 1 }
    }

    /// Looks at what is left, and at the tables as they stand, in one snapshot, of which nothing stays: what the last
    /// batches have done to the balances is not final.
    mutating func finish(_ begin: Statement = .beginSnapshot) throws(DatabaseError) {
        try connection.query(begin)
        defer { connection.rollBack() }
        try check(upTo: Verification.lastNumber)
        try connection.script(Self.standingSettings)
        let checks = Verification.standingChecks(verified)
        let limit = Parameter.int8(Int64(Verification.violationsMax))
        let answers = try connection.pipeline(
            checks.map { Request($0.statement, [limit]) }
                + [Request(Self.accountsStatement), Request(Verification.missingStatement, [limit])])
        for (check, rows) in zip(checks, answers) { note(rows, of: check) }
        counted.accounts = answers[checks.count].int64(0, 0)
        let missing = answers[checks.count + 1]
        counted.missing = missing.indices.map { missing.string($0, 0) }
    }

    private mutating func note(_ rows: Rows, of check: Verification.Check) {
        let room = Verification.violationsMax - (found[check.statement.name]?.count ?? 0)
        let named = rows.indices.prefix(room).map {
            Verification.Violation(
                invariant: check.invariant, subject: rows.string($0, 0), detail: rows.string($0, 1))
        }
        if !named.isEmpty { found[check.statement.name, default: []] += named }
    }

    private static let countsStatement = Statement(
        "verify_counts",
        """
        select (select count(*) from ledger_entries where batch_no between $1 and $2),
               (select count(*) from trades where status = 'SETTLED' and batch_no between $1 and $2),
               (select max(batch_no) from batches where batch_no between $1 and $2)
        """)
    private static let accountsStatement = Statement(
        "verify_accounts", "select count(*) from accounts where kind = 'customer'")
}
