import ServiceKit
import Testing

@testable import SettlementWorkers

/// A duty beside the settling works for a fifth of the time.
@Suite struct RestingTests {
    @Test func `it rests for four times as long as it worked`() {
        var resting = Resting(isCrowded: Guarded(false))
        #expect(resting.isOver)
        let begun = ContinuousClock.now
        resting.begin(afterWorkSince: begun - .seconds(5), newest: 7)
        #expect(!resting.isOver)
        #expect(resting.end >= begun + .seconds(20) && resting.end < ContinuousClock.now + .seconds(25))
    }

    @Test func `where more comes than is settled, it takes a twentieth`() {
        let isCrowded = Guarded(true)
        var resting = Resting(isCrowded: isCrowded)
        let begun = ContinuousClock.now
        resting.begin(afterWorkSince: begun - .seconds(2), newest: 7)
        #expect(resting.end >= begun + .seconds(38))
        isCrowded.withLock { $0 = false }
        resting.begin(afterWorkSince: .now - .seconds(2), newest: 8)
        #expect(resting.end < ContinuousClock.now + .seconds(30))
    }

    @Test func `what waited for long is no reason to rest for an hour`() {
        var resting = Resting(isCrowded: Guarded(false))
        resting.begin(afterWorkSince: .now - .seconds(3_600), newest: 7)
        #expect(resting.end <= ContinuousClock.now + .seconds(60))
        #expect(!resting.isOver)
    }

    @Test func `where nothing was settled since the piece before, it goes on at once`() {
        var resting = Resting(isCrowded: Guarded(false))
        resting.begin(afterWorkSince: .now - .seconds(5), newest: 7)
        #expect(!resting.isOver)
        resting.begin(afterWorkSince: .now - .seconds(5), newest: 7)
        #expect(resting.isOver)
        resting.begin(afterWorkSince: .now - .seconds(5), newest: 8)
        #expect(!resting.isOver)
    }
}
