import ServiceKit
import Testing

@testable import SettlementWorkers

/// Traps 5 and 11: the mark never runs ahead of what is done.
@Suite struct FeedWatermarkTests {
    @Test func `the mark moves over a record once its items and those of all before it have ended`() {
        var watermark = FeedWatermark(at: .init(sequence: 7, hash: nil))
        #expect(watermark.mark == .init(sequence: 7, hash: nil) && watermark.isIdle && watermark.newest == 7)
        watermark.begin(hash: 80, itemCount: 2)
        watermark.begin(hash: 90, itemCount: 0)
        watermark.begin(hash: 100, itemCount: 1)
        watermark.begin(hash: 110, itemCount: 0)
        #expect(watermark.mark.sequence == 7 && watermark.newest == 11)
        watermark.complete(10)
        watermark.complete(8)
        #expect(watermark.mark.sequence == 7)
        watermark.complete(8)
        #expect(watermark.mark == .init(sequence: 11, hash: 110) && watermark.isIdle)
        watermark.begin(hash: 120, itemCount: 0)
        #expect(watermark.mark == .init(sequence: 12, hash: 120))
    }

    @Test(arguments: 0..<20) func `whatever the order of ends, the mark is before the first open record`(round: Int) {
        let seed = UInt64.random(in: .min ... .max)
        print("seed \(seed)")
        var generator = SeededGenerator(seed: seed)
        var watermark = FeedWatermark(at: .init(sequence: 0, hash: 0))
        var open: [Int64: Int] = [:]
        var begun: Int64 = 0
        for _ in 0..<2_000 {
            if open.count < 60, Bool.random(using: &generator) {
                begun += 1
                let count = Int.random(in: 0...3, using: &generator)
                watermark.begin(hash: UInt64(begun), itemCount: count)
                if count > 0 { open[begun] = count }
            } else if let sequence = open.keys.sorted().prefix(20).randomElement(using: &generator) {
                watermark.complete(sequence)
                open[sequence]! -= 1
                if open[sequence] == 0 { open[sequence] = nil }
            }
            let done = (open.keys.min() ?? begun + 1) - 1
            #expect(watermark.mark == .init(sequence: done, hash: UInt64(done)))
            guard watermark.mark.sequence == done, watermark.newest == begun else { return }
        }
    }
}
