import Testing
import TradeFeed

@Suite("Records in a buffer")
struct RecordBufferTests {
    @Test func `records come out as they went in, also empty ones`() {
        let arrays: [[UInt8]] = [[1, 2, 3], [], [4], Array(repeating: 7, count: 300)]
        let buffer = RecordBuffer(arrays)
        #expect(buffer.arrays == arrays)
        #expect(buffer.count == 4 && buffer.contentByteCount == 304 && buffer.bytes.count == 320)
        #expect(RecordBuffer(checking: buffer.bytes, count: 4) == buffer)
    }

    @Test func `a split buffer holds the same records in two`() {
        let buffer = records(1...5)
        for count in 0...7 {
            let (head, tail) = buffer.split(after: count)
            #expect(head.count == min(count, 5))
            #expect(head.arrays + tail.arrays == buffer.arrays)
        }
    }

    @Test func `bytes whose lengths do not fit are no buffer`() {
        let good = Array(records(1...3).bytes)
        #expect(RecordBuffer(checking: good[...], count: 3) != nil)
        for count in [0, 1, 2, 4, 1_000_000] { #expect(RecordBuffer(checking: good[...], count: count) == nil) }
        for cut in 0..<good.count { #expect(RecordBuffer(checking: good[..<cut], count: 3) == nil) }
        #expect(RecordBuffer(checking: (good + [0])[...], count: 3) == nil)
        #expect(RecordBuffer(checking: [255, 255, 255, 255, 1], count: 1) == nil)
        #expect(RecordBuffer(checking: [], count: 0)?.isEmpty == true)
    }

    @Test func `a run is consistent only with each record in its place`() {
        let run = RecordRun(start: .start, records: records(1...3))
        #expect(run.isConsistent && run.end == position(after: 3))
        var other = run
        other.records = RecordBuffer([record(1), record(3), record(2)])
        #expect(!other.isConsistent)
        other = run
        other.end.sequence = 4
        #expect(!other.isConsistent)
    }
}
