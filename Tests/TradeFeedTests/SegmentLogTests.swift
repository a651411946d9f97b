import Foundation
import ServiceKit
import Testing
import TradeFeed

@Suite("A log on disk", .timeLimit(.minutes(5)))
struct SegmentLogTests {
    private let small = SegmentLog.Settings(segmentBytesMax: 1_000, sync: .onDemand)

    private func all(_ log: SegmentLog) throws -> [[UInt8]] {
        var arrays: [[UInt8]] = []
        var next = log.extent.oldest
        while true {
            let run = try log.read(from: next, recordsMax: 50, bytesMax: 4_000)
            #expect(run.isConsistent && run.first == next)
            if run.isEmpty { return arrays }
            arrays += run.records.arrays
            next = run.end.sequence + 1
        }
    }

    @Test(arguments: [false, true])
    func `what was appended is there again, closed or not`(isClosed: Bool) throws {
        let folder = try TemporaryFolder()
        for round in 0..<4 as Range<Int64> {
            let log = try SegmentLog(folder: folder.path, settings: small)
            #expect(log.cutTail == nil)
            #expect(log.extent.newest == position(after: round * 60))
            #expect(log.extent.durable == log.extent.newest)
            for sequence in 1...60 as ClosedRange<Int64> {
                try log.append(records(round * 60 + sequence...round * 60 + sequence))
            }
            if isClosed {
                try log.close()
                #expect(throws: LogFailure.closed) { try log.append(records(1...1)) }
                #expect(try all(log).count == Int(round + 1) * 60)
            }
        }
        let log = try SegmentLog(
            folder: folder.path, settings: SegmentLog.Settings(segmentBytesMax: 1_000, checksEverything: true))
        #expect(try all(log) == records(1...240).arrays)
        #expect(try folder.segments.count > 10)
    }

    @Test func `a folder belongs to one at a time`() throws {
        let folder = try TemporaryFolder()
        let log = try SegmentLog(folder: folder.path)
        let failure = #expect(throws: LogFailure.self) { try SegmentLog(folder: folder.path) }
        #expect(failure?.description == "cannot lock \(folder.path)/lock (another process has it)")
        try log.close()
    }

    @Test func `a folder that is given back is free, whoever starts programs meanwhile`() async throws {
        let folder = try TemporaryFolder()
        try await whileProgramsStart {
            for _ in 0..<300 { try SegmentLog(folder: folder.path).close() }
        }
    }

    @Test func `a file cut anywhere loses only what was not whole`() throws {
        let folder = try TemporaryFolder()
        var ends: [Int: Int64] = [:]
        do {
            let log = try SegmentLog(folder: folder.path)
            ends[SegmentHeader.byteCount] = 0
            for sequence in 1...5 as ClosedRange<Int64> {
                try log.append(records(sequence * 2 - 1...sequence * 2))
                ends[try folder.bytes(of: folder.segments[0]).count] = sequence * 2
            }
        }
        let file = try folder.segments[0]
        let bytes = try folder.bytes(of: file)
        for cut in SegmentHeader.byteCount...bytes.count {
            try folder.write(Array(bytes[..<cut]), to: file)
            let log = try SegmentLog(folder: folder.path)
            let (offset, newest) = ends.filter { $0.key <= cut }.max { $0.key < $1.key }!
            #expect(log.extent.newest == position(after: newest))
            let expected = SegmentLog.CutTail(file: file, offset: Int64(offset), byteCount: Int64(cut - offset))
            #expect(log.cutTail == (cut == offset ? nil : expected))
            // It goes on from there.
            #expect(try log.append(records(newest + 1...newest + 3)) == position(after: newest + 3))
            #expect(try all(log) == records(1...newest + 3).arrays)
        }
    }

    @Test func `a torn tail is told in one line`() throws {
        let folder = try TemporaryFolder()
        do { try SegmentLog(folder: folder.path).append(records(1...1)) }
        let file = try folder.segments[0]
        try folder.write(try folder.bytes(of: file) + [1], to: file)
        let log = try SegmentLog(folder: folder.path)
        #expect(log.cutTail?.description == "\(file) ended in 1 byte half written, cut off at byte 124")
    }

    @Test func `any byte damaged in what was durable is refused with its place`() throws {
        let folder = try TemporaryFolder()
        var starts: [Int] = []
        do {
            let log = try SegmentLog(
                folder: folder.path, settings: SegmentLog.Settings(sync: .everyAppend))
            for sequence in 1...3 as ClosedRange<Int64> {
                starts.append(try folder.bytes(of: folder.segments[0]).count)
                try log.append(records(sequence...sequence))
            }
            try log.close()
        }
        let file = try folder.segments[0]
        let bytes = try folder.bytes(of: file)
        let seal = bytes.count - LogBlock.headerBytes
        for place in 0..<seal {
            var damaged = bytes
            damaged[place] ^= 0x10
            try folder.write(damaged, to: file)
            let failure = #expect(throws: LogFailure.self) { try SegmentLog(folder: folder.path) }
            guard case .damaged(file, let offset, _) = failure else {
                Issue.record("byte \(place): \(String(describing: failure))")
                continue
            }
            #expect(Int(offset) == starts.last { $0 <= place } ?? 0 || place < SegmentHeader.byteCount)
            #expect(try folder.bytes(of: file) == damaged, "what is refused is left as it is")
        }
    }

    /// The machine failed while pages were written in any order.
    @Test func `later pages without an earlier one, never durable, are cut`() throws {
        let folder = try TemporaryFolder()
        var border = 0
        do {
            let log = try SegmentLog(folder: folder.path, settings: SegmentLog.Settings(sync: .onDemand))
            try log.append(records(1...10))
            try log.sync()
            border = try folder.bytes(of: folder.segments[0]).count
            for sequence in 11...20 as ClosedRange<Int64> { try log.append(records(sequence...sequence)) }
        }
        let file = try folder.segments[0]
        var bytes = try folder.bytes(of: file)
        for place in border..<border + 100 { bytes[place] = 0 }
        try folder.write(bytes, to: file)
        let log = try SegmentLog(folder: folder.path)
        #expect(log.extent.newest == position(after: 10))
        #expect(log.cutTail?.offset == Int64(border))
    }

    @Test func `damage in an older segment is found when it is read, or at once if asked for`() throws {
        let folder = try TemporaryFolder()
        do {
            let log = try SegmentLog(folder: folder.path, settings: small)
            for sequence in 1...100 as ClosedRange<Int64> { try log.append(records(sequence...sequence)) }
        }
        let file = try folder.segments[1]
        var bytes = try folder.bytes(of: file)
        bytes[bytes.count / 2] ^= 1
        try folder.write(bytes, to: file)
        do {
            let log = try SegmentLog(folder: folder.path, settings: small)
            let failure = #expect(throws: LogFailure.self) { try all(log) }
            guard case .damaged(file, _, _) = failure else { throw failure! }
            // The rest of the log is not affected.
            #expect(try log.read(from: 90, recordsMax: 1, bytesMax: 1).records == records(90...90))
        }
        let failure = #expect(throws: LogFailure.self) {
            try SegmentLog(
                folder: folder.path, settings: SegmentLog.Settings(segmentBytesMax: 1_000, checksEverything: true))
        }
        guard case .damaged(file, _, _) = failure else { throw failure! }
    }

    @Test func `a segment that is missing in the middle is noticed`() throws {
        let folder = try TemporaryFolder()
        do {
            let log = try SegmentLog(folder: folder.path, settings: small)
            for sequence in 1...100 as ClosedRange<Int64> { try log.append(records(sequence...sequence)) }
        }
        let segments = try folder.segments
        try FileManager.default.removeItem(atPath: segments[2])
        #expect(throws: LogFailure.self) { try all(try SegmentLog(folder: folder.path, settings: small)) }
        let failure = #expect(throws: LogFailure.self) {
            try SegmentLog(
                folder: folder.path, settings: SegmentLog.Settings(segmentBytesMax: 1_000, checksEverything: true))
        }
        guard case .damaged(segments[1], _, _) = failure else { throw failure! }
    }

    @Test func `only whole segments below what is asked for are dropped`() throws {
        let folder = try TemporaryFolder()
        let log = try SegmentLog(folder: folder.path, settings: small)
        for sequence in 1...100 as ClosedRange<Int64> { try log.append(records(sequence...sequence)) }
        try log.drop(below: 1)
        #expect(log.extent.oldest == 1)
        try log.drop(below: 50)
        let oldest = log.extent.oldest
        #expect(oldest > 25 && oldest <= 50)
        #expect(try all(log) == records(oldest...100).arrays)
        #expect(throws: LogFailure.notKept(oldest - 1, oldest: oldest)) {
            try log.read(from: oldest - 1, recordsMax: 1, bytesMax: 1)
        }
        try log.drop(below: 1_000)
        #expect(try folder.segments.count == 1)
        #expect(log.extent.newest == position(after: 100))
        #expect(try log.append(records(101...101)) == position(after: 101))
    }

    @Test func `a segment that had only begun when everything stopped is no damage`() throws {
        let folder = try TemporaryFolder()
        do { try SegmentLog(folder: folder.path).append(records(1...5)) }
        try folder.write([1, 2, 3], to: folder.path + "/00000000000000000006.log.new")
        let log = try SegmentLog(folder: folder.path)
        #expect(log.extent.newest == position(after: 5))
        #expect(log.cutTail == nil)
    }

    @Test func `durable is what was synced, and no more`() throws {
        let folder = try TemporaryFolder()
        let log = try SegmentLog(folder: folder.path, settings: SegmentLog.Settings(sync: .onDemand))
        try log.append(records(1...3))
        #expect(log.extent.durable == .start)
        try log.sync()
        try log.append(records(4...4))
        #expect(log.extent.durable == position(after: 3))
        #expect(log.extent.newest == position(after: 4))
    }

    @Test func `run syncs what was appended, and tells`() async throws {
        let folder = try TemporaryFolder()
        let log = try SegmentLog(folder: folder.path, settings: SegmentLog.Settings(sync: .every(.milliseconds(1))))
        let synced = OneShot()
        let running = Task { try await log.run { synced.fire() } }
        try log.append(records(1...3))
        await synced.wait()
        #expect(log.extent.durable == position(after: 3))
        try log.append(records(4...4))
        running.cancel()
        try await running.value
        #expect(log.extent.durable == position(after: 4))
    }

    @Test func `a folder that cannot be used is refused in one line`() throws {
        let folder = try TemporaryFolder()
        try folder.write([1], to: folder.path + "/file")
        let failure = #expect(throws: LogFailure.self) { try SegmentLog(folder: folder.path + "/file") }
        #expect(failure?.description == "cannot read \(folder.path)/file (Not a directory)")
    }
}

@Suite("Files of a log")
struct LogFormatTests {
    @Test func `a segment has the bytes of the page`() throws {
        let folder = try TemporaryFolder()
        let log = try SegmentLog(folder: folder.path)
        try log.append(RecordBuffer([Array("trade".utf8), Array("deposit".utf8)]))
        let bytes = try folder.bytes(of: folder.segments[0])
        #expect(folder.path + "/00000000000000000001.log" == (try folder.segments[0]))
        #expect([bytes] == (try GoldenFeed.blocks("hex-log")))
    }

    @Test func `a segment of another version, or of something else, is refused`() {
        let header = SegmentHeader(start: position(after: 3)).encode()
        #expect(throws: Never.self) { try SegmentHeader(header[...]) }
        for (place, reason) in [
            (0, "this is no segment of a log"), (8, "the segment has another version than 1"),
            (12, "the segment's header is not whole"), (30, "the segment's header is not whole"),
        ] {
            var changed = header
            changed[place] ^= 1
            #expect(throws: SegmentHeader.Fault(reason: reason)) { try SegmentHeader(changed[...]) }
        }
        for cut in 0..<header.count {
            #expect(throws: SegmentHeader.Fault.self) { try SegmentHeader(header[..<cut]) }
        }
    }
}
