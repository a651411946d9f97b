import ServiceKit
import Testing

@testable import WalletClient

@Suite struct CircuitBreakerReloadTests {
    @Test func `limits that change count from the next failure on, and an open breaker keeps its pause`() {
        var limits = Limits()
        limits.breakerFailuresMax = 2
        limits.breakerPauseMilliseconds = 100
        limits.breakerPauseMillisecondsMax = 1_000
        var breaker = CircuitBreaker(limits)
        let start = ContinuousClock.now
        breaker.failed(at: start)
        #expect(breaker.isClosed)

        limits.breakerFailuresMax = 1
        limits.breakerPauseMilliseconds = 400
        breaker.reload(limits)
        breaker.failed(at: start)
        #expect(breaker.permission(at: start) == .wait(.milliseconds(400)))

        limits.breakerPauseMilliseconds = 10
        limits.breakerPauseMillisecondsMax = 20
        breaker.reload(limits)
        #expect(breaker.permission(at: start) == .wait(.milliseconds(400)))
        #expect(breaker.permission(at: start + .milliseconds(400)) == .probe)
        breaker.succeeded()
        breaker.failed(at: start)
        #expect(breaker.permission(at: start) == .wait(.milliseconds(10)))
    }
}
