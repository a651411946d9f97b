import Testing

@testable import Benchmark

/// Quantiles, medians and rates are what they say.
@Suite struct FigureTests {
    @Test func `a quantile is right to two per cent, and the maximum exactly`() throws {
        var counts = LatencyCounts()
        for microseconds in 1...10_000 { counts.record(nanoseconds: Int64(microseconds) * 1_000) }
        for (perMille, expected) in [(500, 5.0), (950, 9.5), (990, 9.9)] {
            let found = try #require(counts.milliseconds(perMille: perMille))
            #expect(abs(found - expected) < expected * 0.02, "\(perMille): \(found)")
        }
        #expect(counts.maximumMilliseconds == 10)
        #expect(counts.milliseconds(perMille: 1_000) == 10)
    }

    @Test(arguments: [0, 1, 63, 64, 65, 127, 128, 1_000, 999_999_999, 1 << 40] as [Int64])
    func `a single latency is its own quantile`(nanoseconds: Int64) {
        var counts = LatencyCounts()
        counts.record(nanoseconds: nanoseconds)
        #expect(counts.milliseconds(perMille: 500) == Double(nanoseconds) / 1e6)
    }

    @Test func `counts of two processes add up`() {
        var all = LatencyCounts()
        var halves = (LatencyCounts(), LatencyCounts())
        for nanoseconds in stride(from: Int64(1), to: 5_000_000, by: 777) {
            all.record(nanoseconds: nanoseconds)
            if nanoseconds % 2 == 0 {
                halves.0.record(nanoseconds: nanoseconds)
            } else {
                halves.1.record(nanoseconds: nanoseconds)
            }
        }
        halves.0.add(halves.1)
        #expect(halves.0 == all)
        #expect(LatencyCounts().milliseconds(perMille: 500) == nil)
    }

    @Test func `the median lies in the middle, and outliers only widen the range`() throws {
        let odd = try #require(Spread([3, 1, 100]))
        #expect(odd.median == 3 && odd.minimum == 1 && odd.maximum == 100)
        #expect(Spread([4, 2])?.median == 3)
        #expect(Spread([]) == nil)
    }

    @Test func `a trade is due at its place, whatever became of those before`() {
        let start = ContinuousClock.now
        let schedule = LoadMeter.Schedule(start: start, firstPlace: 100, perSecond: 4_000)
        #expect(schedule.due(100) == start)
        #expect(schedule.due(102) == start + .microseconds(500))
    }
}
