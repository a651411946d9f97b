import ServiceKit
import Testing
import TradeModel

/// Trap 5: what is missing of a sequence is known, whatever the order of arrival.
@Suite struct SequenceTallyTests {
    private let noon = Timestamp(microseconds: 1_000_000)
    private let later = Timestamp(microseconds: 2_000_000)

    private func gaps(_ tally: SequenceTally) -> [ClosedRange<Int64>] { tally.gaps.map(\.numbers) }

    @Test func `a stream begins at 1, and what comes late makes its gap smaller`() {
        var tally = SequenceTally()
        tally.add(5...6, at: noon)
        #expect(tally.newest == 6 && gaps(tally) == [1...4])
        tally.add(9...9, at: later)
        #expect(tally.newest == 9 && gaps(tally) == [1...4, 7...8])

        tally.add(2...2, at: later)
        #expect(gaps(tally) == [1...1, 3...4, 7...8])
        #expect(tally.gaps.map(\.foundAt) == [noon, noon, later])
        tally.add(1...7, at: later)
        #expect(gaps(tally) == [8...8])
        tally.add(8...12, at: later)
        #expect(tally == SequenceTally(newest: 12))
    }

    @Test func `what has come once more changes nothing`() {
        var tally = SequenceTally(newest: 9, gaps: [SequenceGap(numbers: 4...5, foundAt: noon, toldAt: later)])
        let before = tally
        tally.add(1...3, at: later)
        tally.add(6...9, at: later)
        #expect(tally == before)
        tally.add(5...5, at: later)
        #expect(tally.gaps == [SequenceGap(numbers: 4...4, foundAt: noon, toldAt: later)])
    }

    @Test(arguments: 0..<50) func `in any order, the gaps are what has not come`(round: Int) {
        let seed = UInt64.random(in: .min ... .max)
        print("seed \(seed)")
        var generator = SeededGenerator(seed: seed)
        var tally = SequenceTally()
        var come: Set<Int64> = []
        for _ in 0..<60 {
            let first = Int64.random(in: 1...200, using: &generator)
            let run = first...first + Int64.random(in: 0...9, using: &generator)
            come.formUnion(run)
            tally.add(run, at: noon)
            #expect(tally.newest == come.max())
            #expect(gaps(tally).flatMap(Array.init) == (1...tally.newest).filter { !come.contains($0) })
            #expect(zip(gaps(tally), gaps(tally).dropFirst()).allSatisfy { $0.upperBound + 1 < $1.lowerBound })
        }
    }
}
