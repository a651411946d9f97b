import Testing

@testable import SettlementWorkers

/// A duty beside the settling works for a fifth of the time.
@Suite struct RestingTests {
    @Test func `it rests for four times as long as it worked`() {
        var resting = Resting()
        #expect(resting.isOver)
        let begun = ContinuousClock.now
        resting.begin(afterWorkSince: begun - .seconds(5), newest: 7)
        #expect(!resting.isOver)
        #expect(resting.end >= begun + .seconds(20) && resting.end < ContinuousClock.now + .seconds(25))
    }

    @Test func `what waited for long is no reason to rest for an hour`() {
        var resting = Resting()
        resting.begin(afterWorkSince: .now - .seconds(3_600), newest: 7)
        #expect(resting.end <= ContinuousClock.now + .seconds(60))
        #expect(!resting.isOver)
    }

    @Test func `where nothing was settled since the piece before, it goes on at once`() {
        var resting = Resting()
        resting.begin(afterWorkSince: .now - .seconds(5), newest: 7)
        #expect(!resting.isOver)
        resting.begin(afterWorkSince: .now - .seconds(5), newest: 7)
        #expect(resting.isOver)
        resting.begin(afterWorkSince: .now - .seconds(5), newest: 8)
        #expect(!resting.isOver)
    }
}
