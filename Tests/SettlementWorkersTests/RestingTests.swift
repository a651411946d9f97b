import ServiceKit
import Testing

@testable import SettlementWorkers

/// A duty beside the settling keeps out of its way.
@Suite struct RestingTests {
    private let clock = Guarded(ContinuousClock.now)
    private let isCrowded = Guarded(false)

    private func resting() -> Resting { Resting(isCrowded: isCrowded) { [clock] in clock.withLock { $0 } } }

    private func pass(_ duration: Duration) { clock.withLock { $0 += duration } }

    /// How long it rests after a second's work.
    private func restAfterSecond(_ resting: inout Resting, newest: Int64) -> Duration {
        let start = clock.withLock { $0 }
        pass(.seconds(1))
        resting.begin(afterWorkSince: start, newest: newest)
        return resting.end - clock.withLock { $0 }
    }

    @Test func `it takes a twentieth of the time`() {
        var resting = resting()
        #expect(resting.isOver)
        #expect(restAfterSecond(&resting, newest: 7) == .seconds(19))
        #expect(!resting.isOver)
        pass(.seconds(19))
        #expect(resting.isOver)
    }

    @Test func `once it has been behind for ten minutes it takes a fifth, until it has caught up`() {
        var resting = resting()
        pass(.seconds(598))
        #expect(restAfterSecond(&resting, newest: 7) == .seconds(19))
        pass(.seconds(1))
        #expect(restAfterSecond(&resting, newest: 8) == .seconds(4))
        resting.caughtUp()
        #expect(restAfterSecond(&resting, newest: 9) == .seconds(19))
    }

    @Test func `where more comes than is settled, it stays at a twentieth`() {
        var resting = resting()
        pass(.seconds(3_600))
        isCrowded.withLock { $0 = true }
        #expect(restAfterSecond(&resting, newest: 7) == .seconds(19))
        isCrowded.withLock { $0 = false }
        #expect(restAfterSecond(&resting, newest: 8) == .seconds(4))
    }

    @Test func `what waited for long is no reason to rest for an hour`() {
        var resting = resting()
        let start = clock.withLock { $0 }
        pass(.seconds(3_600))
        resting.begin(afterWorkSince: start, newest: 7)
        #expect(resting.end - clock.withLock { $0 } == .seconds(60))
    }

    @Test func `where nothing was settled since the piece before, it goes on at once`() {
        var resting = resting()
        #expect(restAfterSecond(&resting, newest: 7) > .zero)
        #expect(restAfterSecond(&resting, newest: 7) == .zero)
        #expect(resting.isOver)
        #expect(restAfterSecond(&resting, newest: 8) > .zero)
    }
}
