import Repository
import ServiceKit

/// Verifies what was committed since the last time, again and again: what it counts must stay 0.
struct Verifying: BesideDuty {
    /// So many of the violations are logged; `settle verify` names more.
    private static let loggedMax = 10

    let name = "verification"
    private let limits: LiveLimits
    private var verification: SteadyVerification
    private var nextStep = ContinuousClock.now
    private var resting: Resting
    /// What is known of the newest look, whichever process took it.
    private let state: Guarded<VerificationState?>
    /// What was logged last, and is not said again.
    private var told: [Verification.Violation] = []

    /// - Parameters:
    ///   - isCrowded: whether more trades come than are settled.
    ///   - state: where what is known is put down.
    init(
        _ limits: LiveLimits, worker: Int64, isCrowded: Guarded<Bool> = Guarded(false),
        state: Guarded<VerificationState?>
    ) {
        self.limits = limits
        resting = Resting(isCrowded: isCrowded)
        self.state = state
        verification = SteadyVerification(actor: "worker \(worker)")
    }

    mutating func work(on connection: PostgresConnection, log: Log) throws(DatabaseError) -> Bool {
        let interval = Duration.seconds(limits.verifyIntervalSeconds)
        let start = ContinuousClock.now
        guard interval > .zero, start >= nextStep, resting.isOver else { return false }
        nextStep = start + interval
        let step = try verification.step(on: connection)
        let known = try VerificationStore.state(connection)
        state.withLock { $0 = known }
        try resting.begin(afterWorkSince: start, newest: BatchHorizon.newest(on: connection))
        guard let step else { return false }
        if step.isAtEnd { resting.caughtUp() }
        tell(step, log)
        // Whoever is behind goes on as soon as it has rested.
        guard step.report.isClean, !step.isAtEnd else { return false }
        nextStep = start
        return resting.isOver
    }

    private mutating func tell(_ step: SteadyVerification.Step, _ log: Log) {
        let violations = step.report.violations
        guard step.isWhole || !violations.isEmpty, violations != told else { return }
        if violations.isEmpty { log.info("the books are verified again") }
        for violation in violations.prefix(Self.loggedMax) {
            log.error(
                "the books do not balance",
                ["invariant": "\(violation.invariant)", "subject": violation.subject, "detail": violation.detail])
        }
        if violations.count > Self.loggedMax {
            log.error(
                "the books do not balance",
                ["more": "\(violations.count - Self.loggedMax)", "remedy": "settle verify"])
        }
        told = violations
    }
}
