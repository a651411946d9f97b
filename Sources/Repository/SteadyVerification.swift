import TradeModel

/// Verifies in steps what was committed, beside the settling: of all processes on a database one at a time.
///
/// A step takes a range of batches that are all decided, and moves on behind it when it is clean. Over what it finds it
/// does not move on. The tables as they stand are looked at so seldom that it stays cheap. As long as it is behind, a
/// balance that has moved on is left for later: its next entries show whether it was right.
public struct SteadyVerification: Sendable {
    /// So many entries a step has: its snapshot is gone in about a second, and what was updated meanwhile is tidied up.
    public static let stepEntries: Int64 = 50_000
    /// The tables as they stand may take one part in so many of the time.
    private static let standingShare = 20

    public struct Step: Sendable {
        public let report: Verification.Report
        /// Whether all was looked at that was decided.
        public let isAtEnd: Bool
        /// Whether all was looked at that is there, the tables as they stand included.
        public let isWhole: Bool
    }

    private let actor: String
    private let stepEntries: Int64
    private let patience: Duration
    /// The run that grows, once there is one.
    private var run: Int64?
    private var nextStanding = ContinuousClock.now

    /// - Parameters:
    ///   - actor: who verifies.
    ///   - patience: how long transactions may take to end that hold the number of a batch, before it is left for the
    ///     next step.
    public init(
        actor: String, stepEntries: Int64 = SteadyVerification.stepEntries, patience: Duration = .seconds(1)
    ) {
        self.actor = actor
        self.stepEntries = stepEntries
        self.patience = patience
    }

    private static let lockStatement = Statement(
        "verification_lock", "select pg_try_advisory_lock(\(AdvisoryLock.verification), 1)")
    private static let unlockStatement = Statement(
        "verification_unlock", "select pg_advisory_unlock(\(AdvisoryLock.verification), 1)")
    private static let beginStatement = Statement("begin_repeatable", "begin isolation level repeatable read")

    /// Takes one step; nil where another process is at it, or a batch stays undecided.
    public mutating func step(on connection: PostgresConnection) throws(DatabaseError) -> Step? {
        guard try connection.query(Self.lockStatement).bool(0, 0) else { return nil }
        defer { _ = try? connection.query(Self.unlockStatement) }
        let horizon = try BatchHorizon(on: connection)
        guard try horizon.wait(on: connection, patience: patience) else { return nil }
        let startedAt = Timestamp.now
        let next = try VerificationStore.state(connection)?.next ?? Verification.firstNumber
        var walk = VerificationWalk(
            .worker, on: connection, verified: .kept, from: next, rangeEntries: stepEntries)
        let last = try walk.rangeEnd(upTo: horizon.newest) ?? horizon.newest
        if next <= last { try take(&walk, upTo: last, startedAt, on: connection) }
        let isAtEnd = last >= horizon.newest
        var isWhole = false
        if walk.isClean, ContinuousClock.now >= nextStanding {
            let start = ContinuousClock.now
            try look(&walk, isAtEnd: isAtEnd, on: connection)
            nextStanding = .now + (.now - start) * Self.standingShare
            isWhole = isAtEnd
        }
        // That one part is clean takes nothing back that another has found.
        if isWhole || !walk.isClean { try VerificationStore.note(walk.report, on: connection) }
        return Step(report: walk.report, isAtEnd: isAtEnd, isWhole: isWhole)
    }

    /// Looks at the tables as they stand, at the end in one snapshot with what came since. Of that nothing stays: what
    /// the last batches have done to the balances is not final.
    private func look(
        _ walk: inout VerificationWalk, isAtEnd: Bool, on connection: PostgresConnection
    ) throws(DatabaseError) {
        try connection.query(Self.beginStatement)
        defer { connection.rollBack() }
        if isAtEnd { try walk.check(upTo: Verification.lastNumber) }
        try walk.check(against: isAtEnd ? .now : .unknown)
    }

    /// Looks at a range, and moves on behind it if it is clean.
    private mutating func take(
        _ walk: inout VerificationWalk, upTo last: BatchNumber, _ startedAt: Timestamp,
        on connection: PostgresConnection
    ) throws(DatabaseError) {
        try connection.query(Self.beginStatement)
        do throws(DatabaseError) {
            try walk.check(upTo: last)
            guard walk.isClean else { return connection.rollBack() }
            try VerificationStore.advance(to: walk.next, on: connection)
            var grown = run
            if walk.entries > 0 {
                grown = try VerificationStore.grow(
                    run, by: walk.report, startedAt: startedAt, actor: actor, on: connection)
            }
            try connection.commit()
            run = grown
        } catch {
            connection.rollBack()
            throw error
        }
    }
}
