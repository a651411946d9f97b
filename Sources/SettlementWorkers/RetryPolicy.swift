import ServiceKit

/// How often a trade that fails by itself is tried, and how long to pause in between.
struct RetryPolicy: Sendable, Equatable {
    var attemptsMax: Int
    var backoff: Duration
    var backoffMax: Duration

    init(_ limits: Limits) {
        attemptsMax = max(1, limits.retryAttemptsMax)
        backoff = .milliseconds(limits.retryBackoffMilliseconds)
        backoffMax = .milliseconds(limits.retryBackoffMillisecondsMax)
    }

    /// The pause after so many failures: doubled each time up to the maximum, its second half by chance, so that
    /// those who failed together do not come back together.
    func pause(afterFailures failures: Int, using generator: inout some RandomNumberGenerator) -> Duration {
        var pause = min(backoff, backoffMax)
        var doublings = failures - 1
        while doublings > 0, pause > .zero, pause < backoffMax {
            pause = min(pause * 2, backoffMax)
            doublings -= 1
        }
        return pause * Double.random(in: 0.5...1, using: &generator)
    }
}
