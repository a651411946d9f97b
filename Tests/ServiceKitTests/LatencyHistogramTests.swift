import Testing

@testable import ServiceKit

@Suite struct LatencyHistogramTests {
    @Test func `quantiles are known to within an eighth`() throws {
        var histogram = LatencyHistogram()
        #expect(histogram.quantile(perMille: 500) == nil)
        for microseconds in 1...10_000 { histogram.record(.microseconds(microseconds)) }
        for (perMille, exact) in [(500, 5_000), (950, 9_500), (990, 9_900), (999, 9_990)] {
            let measured = try #require(histogram.quantile(perMille: perMille)) / .microseconds(1)
            #expect(measured >= Double(exact) && measured <= Double(exact) * 1.13, "\(perMille): \(measured)")
        }
        #expect(histogram.maximum == .microseconds(10_000))
        #expect(histogram.quantile(perMille: 1000) == histogram.maximum)
    }

    @Test(arguments: [0, 1, 2, 7, 8, 9, 1_000, Int64.max / 2])
    func `any duration has a bucket`(nanoseconds: Int64) {
        var histogram = LatencyHistogram()
        histogram.record(.nanoseconds(nanoseconds))
        #expect(histogram.quantile(perMille: 500)! <= .nanoseconds(max(1, nanoseconds)))
    }
}
