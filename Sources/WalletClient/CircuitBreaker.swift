import ServiceKit

/// Keeps a database that is away from being asked by everybody all the time.
///
/// Closed, everyone asks. After a number of failures in a row it opens; after a pause one asker may try, and its
/// answer closes the breaker or opens it for longer.
struct CircuitBreaker: Sendable {
    enum State: Hashable, Sendable {
        case closed
        case open(until: ContinuousClock.Instant)
        case probing
    }

    enum Permission: Hashable, Sendable {
        case ask
        /// Ask as the only one, and report how it went.
        case probe
        case wait(Duration)
    }

    private(set) var state = State.closed
    private var failuresInARow = 0
    private var pause: Duration
    private var limits: Limits

    init(_ limits: Limits = Limits()) {
        self.limits = limits
        pause = .milliseconds(limits.breakerPauseMilliseconds)
    }

    /// Takes over its limits; a pause that has begun keeps its length.
    mutating func reload(_ limits: Limits) {
        self.limits = limits
        pause =
            isClosed
            ? .milliseconds(limits.breakerPauseMilliseconds)
            : min(pause, .milliseconds(limits.breakerPauseMillisecondsMax))
    }

    var isClosed: Bool { state == .closed }

    mutating func permission(at now: ContinuousClock.Instant) -> Permission {
        switch state {
        case .closed:
            return .ask
        case .probing:
            return .wait(.milliseconds(limits.breakerPauseMilliseconds))
        case .open(let end) where now < end:
            return .wait(now.duration(to: end))
        case .open:
            state = .probing
            return .probe
        }
    }

    mutating func succeeded() {
        state = .closed
        failuresInARow = 0
        pause = .milliseconds(limits.breakerPauseMilliseconds)
    }

    mutating func failed(at now: ContinuousClock.Instant) {
        failuresInARow += 1
        switch state {
        case .closed where failuresInARow >= limits.breakerFailuresMax, .probing:
            state = .open(until: now.advanced(by: pause))
            pause = min(pause * 2, .milliseconds(limits.breakerPauseMillisecondsMax))
        case .closed, .open:
            break
        }
    }
}
