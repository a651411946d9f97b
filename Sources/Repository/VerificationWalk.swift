import TradeModel

/// Goes through the batches range by range, and remembers how far the entries of each balance follow from each other.
///
/// Whoever walks opens a transaction for each range: one snapshot, in which everything is asked that is local to the
/// range. What is asked of the tables as they stand has a snapshot of its own.
struct VerificationWalk {
    private let connection: PostgresConnection
    private let verified: VerifiedBalances
    private let ranges: BatchRanges
    /// The first batch that was not looked at.
    private(set) var next: BatchNumber
    private var standing = Verification.Standing.noted
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
        report.violations = (Verification.rangeChecks(verified) + Verification.standingChecks(verified, standing))
            .flatMap { found[$0.statement.name] ?? [] }
        return report
    }

    /// Beside the settling one core is enough.
    private static let besideSettings = BatchRanges.settings + "; set local max_parallel_workers_per_gather = 0"
    private var settings: String { counted.kind == .worker ? Self.besideSettings : BatchRanges.settings }
    /// What asks the tables as they stand goes through them.
    private var standingSettings: String { settings + "; set local enable_seqscan = on" }

    /// The last batch of the next range; nil where there are not enough entries up to a batch.
    func rangeEnd(upTo last: BatchNumber) throws(DatabaseError) -> BatchNumber? {
        try ranges.end(from: next, upTo: last)
    }

    /// Notes how balances and streams stand, and looks at what claims the number of a batch that was not given out
    /// yet, within a transaction.
    ///
    /// - Returns: up to where to read. The newest number is asked for behind the snapshot, so every batch that was
    ///   there when things were noted has a number up to it.
    mutating func begin() throws(DatabaseError) -> BatchHorizon {
        let horizon = try BatchHorizon(on: connection)
        if horizon.newest < Verification.lastNumber {
            try check(max(next, horizon.newest + 1)...Verification.lastNumber)
        }
        try connection.script(standingSettings)
        try connection.query(VerifiedBalances.noteStatement)
        try connection.query(VerifiedStreams.noteStatement)
        return horizon
    }

    /// Looks at the batches up to one of them, within a transaction.
    mutating func check(upTo last: BatchNumber) throws(DatabaseError) {
        try check(next...last)
        if last < Verification.lastNumber { next = last + 1 }
    }

    private mutating func check(_ batches: ClosedRange<BatchNumber>) throws(DatabaseError) {
        try connection.script(settings)
        let checks = Verification.rangeChecks(verified)
        let range: [Parameter] = [.int8(batches.lowerBound), .int8(batches.upperBound)]
        let limit = Parameter.int8(Int64(Verification.violationsMax))
        let answers = try connection.pipeline(
            checks.map { Request($0.statement, range + [limit]) } + [Request(Self.countsStatement, range)])
        for (check, rows) in zip(checks, answers) { note(rows, of: check) }
        let counts = answers[checks.count]
        counted.entries += counts.int64(0, 0)
        counted.settledTrades += counts.int64(0, 1)
        counted.toBatch = max(counted.toBatch, counts.optional(0, 2, counts.int64) ?? 0)
    }

    /// Looks at the tables as they stand, within a transaction.
    mutating func check(against standing: Verification.Standing) throws(DatabaseError) {
        self.standing = standing
        try connection.script(standingSettings)
        let checks = Verification.standingChecks(verified, standing)
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
