import TradeModel

/// What is known of the newest verification.
public struct VerificationState: Sendable {
    /// Every batch before this one was verified; nil before the first clean run.
    public let next: BatchNumber?
    public let verifiedAt: Timestamp?
    /// How many violations the last look found; they count until a look that could find them finds nothing.
    public let violations: Int64
    /// The first of them.
    public let finding: String?
    public let foundBy: Verification.Kind?
    public let foundAt: Timestamp?
}

/// Tables `verification_runs`, `verified_balances`, `verified_streams` and `verification_state`.
public enum VerificationStore {
    static let stateStatement = Statement(
        "verification_state",
        """
        select verified_before, verified_at, violations, finding, found_by, found_at from verification_state
        """)

    /// nil before the first run whose result was kept.
    public static func state(_ connection: PostgresConnection) throws(DatabaseError) -> VerificationState? {
        let rows = try connection.query(stateStatement)
        guard rows.count > 0 else { return nil }
        return VerificationState(
            next: rows.optional(0, 0, rows.int64), verifiedAt: rows.optional(0, 1, rows.timestamp),
            violations: rows.int64(0, 2), finding: rows.optional(0, 3, rows.string),
            foundBy: rows.optional(0, 4, rows.string).flatMap(Verification.Kind.init),
            foundAt: rows.optional(0, 5, rows.timestamp))
    }

    private static let oldestStatement = Statement(
        "verification_oldest",
        """
        select (extract(epoch from clock_timestamp() - committed_at) * 1000)::bigint from batches
         where batch_no >= $1 order by batch_no limit 1
        """)

    /// How old the first batch from one on is, in milliseconds; nil where there is none.
    public static func age(
        from batch: BatchNumber, on connection: PostgresConnection
    ) throws(DatabaseError) -> Int64? {
        let rows = try connection.query(oldestStatement, .int8(batch))
        return rows.count == 0 ? nil : rows.int64(0, 0)
    }

    // MARK: For one run

    private static let copyStatement = Statement(
        "verified_balances_copy",
        "insert into \(VerifiedBalances.ofThisRun.table) select * from \(VerifiedBalances.kept.table)")
    private static let copyStreamsStatement = Statement(
        "verified_streams_copy",
        "insert into \(VerifiedStreams.ofThisRun.table) select * from \(VerifiedStreams.kept.table)")

    /// Brings what was verified so far into a run's own table; returns the first batch that was not, or nil where there
    /// is nothing to rest on.
    static func copyKept(on connection: PostgresConnection) throws(DatabaseError) -> BatchNumber? {
        try connection.transaction(.beginSnapshot) { () throws(DatabaseError) in
            guard let next = try state(connection)?.next else { return nil }
            try connection.query(copyStatement)
            try connection.query(copyStreamsStatement)
            return next
        }
    }

    private static let waitStatement = Statement(
        "verification_wait", "select pg_advisory_xact_lock(\(AdvisoryLock.verification), 1)")

    /// Only what differs is written.
    private static let replaceStatement = Statement(
        "verified_balances_replace",
        """
        with gone as (
            delete from \(VerifiedBalances.kept.table) v where not exists (
                select from \(VerifiedBalances.ofThisRun.table) c
                 where (c.account_no, c.asset_no, c.first_version) = (v.account_no, v.asset_no, v.first_version)))
        insert into \(VerifiedBalances.kept.table) as v select * from \(VerifiedBalances.ofThisRun.table)
            on conflict (account_no, asset_no, first_version)
            do update set last_version = excluded.last_version, available_before = excluded.available_before,
                          frozen_before = excluded.frozen_before, available_after = excluded.available_after,
                          frozen_after = excluded.frozen_after
             where (v.last_version, v.available_before, v.frozen_before, v.available_after, v.frozen_after)
                   is distinct from (excluded.last_version, excluded.available_before, excluded.frozen_before,
                                     excluded.available_after, excluded.frozen_after)
        """)

    private static let replaceStreamsStatement = Statement(
        "verified_streams_replace",
        """
        with gone as (
            delete from \(VerifiedStreams.kept.table) v where not exists (
                select from \(VerifiedStreams.ofThisRun.table) c
                 where (c.stream, c.first_seq) = (v.stream, v.first_seq)))
        insert into \(VerifiedStreams.kept.table) as v select * from \(VerifiedStreams.ofThisRun.table)
            on conflict (stream, first_seq) do update set last_seq = excluded.last_seq
             where v.last_seq <> excluded.last_seq
        """)

    /// The role may not write, nobody may here, or somebody does not come to an end.
    private static let refusals: Set<String?> = [
        DatabaseError.insufficientPrivilege, DatabaseError.readOnlyTransaction, DatabaseError.lockNotAvailable,
    ]

    /// Keeps what a run came to: for `--since` to rest on if it is clean, and as a finding if it is not.
    ///
    /// - Parameter next: the first batch that was not read; nil where some before it may be missing.
    /// - Returns: why it could not be kept, where the role or the server does not allow it.
    static func keep(
        _ report: Verification.Report, next: BatchNumber?, startedAt: Timestamp, actor: String,
        on connection: PostgresConnection
    ) throws(DatabaseError) -> String? {
        do throws(DatabaseError) {
            try connection.transaction { () throws(DatabaseError) in
                // A worker that is at a step ends it first.
                try connection.script("set local lock_timeout = '1min'")
                try connection.query(waitStatement)
                // Where a worker has come further meanwhile, that stands.
                let reached = try state(connection)?.next ?? Verification.firstNumber
                if report.isClean, let next, report.kind == .full || reached <= next {
                    try connection.query(replaceStatement)
                    try connection.query(replaceStreamsStatement)
                    try advance(to: next, on: connection)
                }
                try note(report, on: connection)
                _ = try insertRun(report, startedAt, actor, on: connection)
            }
            return nil
        } catch  where refusals.contains(error.sqlState) {
            // What was found is known all the same, where that can be.
            if !report.isClean { try? note(report, on: connection) }
            return error.message
        }
    }

    // MARK: The state

    private static let advanceStatement = Statement(
        "verification_advance",
        """
        insert into verification_state as s (verified_before, verified_at) values ($1, clock_timestamp())
            on conflict (singleton) do update set verified_before = excluded.verified_before,
                                                   verified_at = excluded.verified_at
        """)

    /// Moves on to a batch before which all was verified; the pieces of balances are written with it.
    static func advance(to next: BatchNumber, on connection: PostgresConnection) throws(DatabaseError) {
        try connection.query(advanceStatement, .int8(next))
    }

    /// What a full run has found, nothing less can take back.
    private static let noteStatement = Statement(
        "verification_note",
        """
        insert into verification_state as s (violations, finding, found_by, found_at)
        values ($1, $2, case when $1 > 0 then $3 end, case when $1 > 0 then clock_timestamp() end)
            on conflict (singleton) do update
            set violations = excluded.violations, finding = excluded.finding, found_by = excluded.found_by,
                found_at = excluded.found_at
             where case when $1 > 0 then s.found_by is distinct from 'full' or $3 = 'full'
                        else s.violations > 0 and (s.found_by <> 'full' or $3 = 'full') end
        """)

    /// Takes down what a look has found, or that it has found nothing.
    static func note(_ report: Verification.Report, on connection: PostgresConnection) throws(DatabaseError) {
        let first = report.violations.first.map { "invariant \($0.invariant): \($0.subject): \($0.detail)" }
        try connection.query(
            noteStatement, .int8(Int64(report.violations.count)), .text(first), .text(report.kind.rawValue))
    }

    // MARK: Runs

    private static let runStatement = Statement(
        "verification_runs_insert",
        """
        insert into verification_runs (kind, actor, started_at, finished_at, from_batch, to_batch, entries, trades,
                                       violations)
        values ($1, $2, $3, clock_timestamp(), $4, $5, $6, $7, $8) returning run_no
        """)
    private static let growStatement = Statement(
        "verification_runs_grow",
        """
        update verification_runs
           set finished_at = clock_timestamp(), to_batch = $2, entries = entries + $3, trades = trades + $4
         where run_no = $1
        """)

    /// Adds a step to what a worker has verified, as one run.
    ///
    /// - Returns: the number of the run, to be given with the next step.
    static func grow(
        _ run: Int64?, by report: Verification.Report, startedAt: Timestamp, actor: String,
        on connection: PostgresConnection
    ) throws(DatabaseError) -> Int64 {
        if let run {
            try connection.query(
                growStatement, .int8(run), .int8(report.toBatch), .int8(report.entries), .int8(report.settledTrades))
            return run
        }
        return try insertRun(report, startedAt, actor, on: connection)
    }

    private static func insertRun(
        _ report: Verification.Report, _ startedAt: Timestamp, _ actor: String, on connection: PostgresConnection
    ) throws(DatabaseError) -> Int64 {
        try connection.query(
            runStatement, .text(report.kind.rawValue), .text(actor), .timestamp(startedAt), .int8(report.fromBatch),
            .int8(report.toBatch), .int8(report.entries), .int8(report.settledTrades),
            .int8(Int64(report.violations.count))
        ).int64(0, 0)
    }
}
