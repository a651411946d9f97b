import ServiceKit
import TradeModel
import Testing
import TradeFeed

/// What every log does, whether in memory or on disk.
@Suite("Logs of records", .timeLimit(.minutes(5)))
struct RecordLogTests {
    enum Kind: CaseIterable {
        case memory, segments, small

        /// Small segments, so that reading crosses many of them.
        func open(_ folder: TemporaryFolder, after start: StreamPosition = .start) throws -> any RecordLog {
            switch self {
            case .memory: MemoryLog(after: start, recordsMax: 100_000, bytesMax: 100_000_000)
            case .segments: try SegmentLog(folder: folder.path + "/log", after: start)
            case .small:
                try SegmentLog(
                    folder: folder.path + "/log", after: start,
                    settings: SegmentLog.Settings(segmentBytesMax: 1_000, sync: .everyAppend))
            }
        }
    }

    private func whole(_ log: any RecordLog, from first: Int64, recordsMax: Int = 7, bytesMax: Int = 10_000) throws
        -> [[UInt8]]
    {
        var next = first
        var arrays: [[UInt8]] = []
        var position: StreamPosition?
        while true {
            let run = try log.read(from: next, recordsMax: recordsMax, bytesMax: bytesMax)
            #expect(run.isConsistent && run.first == next)
            #expect(position == nil || run.start == position)
            #expect(run.records.count <= recordsMax)
            if run.isEmpty { return arrays }
            arrays += run.records.arrays
            position = run.end
            next = run.end.sequence + 1
        }
    }

    @Test(arguments: Kind.allCases)
    func `an empty log is at its start`(kind: Kind) throws {
        let folder = try TemporaryFolder()
        let log = try kind.open(folder)
        #expect(log.extent == LogExtent(oldest: 1, newest: .start, durable: .start))
        let run = try log.read(from: 1, recordsMax: 10, bytesMax: 10)
        #expect(run.isEmpty && run.start == .start && run.end == .start)
        #expect(throws: LogFailure.ahead(2, newest: 0)) { try log.read(from: 2, recordsMax: 1, bytesMax: 1) }
        #expect(throws: LogFailure.notKept(0, oldest: 1)) { try log.read(from: 0, recordsMax: 1, bytesMax: 1) }
        #expect(try log.append(RecordBuffer()) == .start)
    }

    @Test(arguments: Kind.allCases)
    func `records are read from anywhere, in order, with the hash`(kind: Kind) throws {
        let folder = try TemporaryFolder()
        let log = try kind.open(folder)
        var next: Int64 = 1
        for count in [1, 1, 3, 50, 1, 100, 2, 42] as [Int64] {
            #expect(try log.append(records(next...next + count - 1)) == position(after: next + count - 1))
            next += count
        }
        #expect(log.extent.newest == position(after: 200))
        try log.sync()
        #expect(log.extent.durable == log.extent.newest)
        let all = records(1...200).arrays
        for first in [1, 2, 3, 5, 6, 55, 56, 57, 157, 158, 199, 200] as [Int64] {
            #expect(try whole(log, from: first) == Array(all[Int(first - 1)...]))
        }
        #expect(try whole(log, from: 1, recordsMax: 1_000) == all)
        #expect(try whole(log, from: 1, recordsMax: 1_000, bytesMax: 1) == all)
        #expect(try whole(log, from: 1, recordsMax: 3, bytesMax: 60) == all)
        #expect(try log.read(from: 201, recordsMax: 5, bytesMax: 5).start == position(after: 200))
    }

    @Test(arguments: Kind.allCases)
    func `a log goes on from where it is told to`(kind: Kind) throws {
        let folder = try TemporaryFolder()
        let log = try kind.open(folder, after: position(after: 10))
        #expect(log.extent.oldest == 11)
        #expect(try log.append(records(11...20)) == position(after: 20))
        #expect(try whole(log, from: 11) == records(11...20).arrays)
        #expect(throws: LogFailure.notKept(10, oldest: 11)) { try log.read(from: 10, recordsMax: 1, bytesMax: 1) }
    }

    @Test(arguments: Kind.allCases)
    func `large records are kept whole, and too large ones refused`(kind: Kind) throws {
        let folder = try TemporaryFolder()
        let log = try kind.open(folder)
        let large = [UInt8](repeating: 9, count: LogLimits.recordBytesMax)
        let buffer = RecordBuffer([[1], large, [2]])
        let end = try log.append(buffer)
        #expect(end == RecordRun(start: .start, records: buffer).end)
        #expect(try whole(log, from: 1, bytesMax: 100) == [[1], large, [2]])
        #expect(throws: LogFailure.recordTooLarge(byteCount: large.count + 1)) {
            try log.append(RecordBuffer([[3], large + [1]]))
        }
        #expect(log.extent.newest == end)
    }

    @Test(arguments: Kind.allCases)
    func `readers at their own places read while somebody writes`(kind: Kind) async throws {
        let folder = try TemporaryFolder()
        let log = try kind.open(folder)
        let count: Int64 = 3_000
        try await withThrowingTaskGroup(of: Void.self) { group in
            for first in [1, 2, 500, 1_700] as [Int64] {
                group.addTask {
                    while log.extent.newest.sequence < first - 1 { await Task.yield() }
                    var next = first
                    while next <= count {
                        let run = try log.read(from: next, recordsMax: 11, bytesMax: 600)
                        #expect(run.isConsistent)
                        for bytes in run.records {
                            #expect(Array(bytes) == record(next))
                            next += 1
                        }
                        if run.isEmpty { await Task.yield() }
                    }
                }
            }
            group.addTask {
                var next: Int64 = 1
                while next <= count {
                    try log.append(records(next...min(count, next + next % 9)))
                    next += next % 9 + 1
                }
            }
            try await group.waitForAll()
        }
        #expect(log.extent.newest.sequence >= count)
    }

    @Test func `memory keeps the newest records and no more`() throws {
        let log = MemoryLog(recordsMax: 100, bytesMax: 1_000_000)
        for sequence in 1...1_000 as ClosedRange<Int64> { try log.append(records(sequence...sequence)) }
        #expect(log.extent.oldest == 901)
        #expect(try whole(log, from: 901) == records(901...1_000).arrays)
        #expect(throws: LogFailure.notKept(900, oldest: 901)) { try log.read(from: 900, recordsMax: 1, bytesMax: 1) }
    }

    @Test func `memory keeps no more bytes than it may`() throws {
        let log = MemoryLog(recordsMax: 1_000_000, bytesMax: 10_000)
        for sequence in 1...5_000 as ClosedRange<Int64> { try log.append(records(sequence...sequence)) }
        let kept = log.extent.newest.sequence - log.extent.oldest + 1
        // A record of 24 bytes takes 44 with its length and its mark.
        #expect(kept > 170 && kept <= 10_000 / 44, "\(kept)")
        #expect(try whole(log, from: log.extent.oldest).count == Int(kept))
    }

    @Test func `what is shared with a reader does not change under it`() throws {
        let log = MemoryLog(recordsMax: 10, bytesMax: 2_000)
        try log.append(records(1...10))
        let run = try log.read(from: 1, recordsMax: 10, bytesMax: 10_000)
        try log.append(records(11...500))
        #expect(run.records == records(1...Int64(run.records.count)) && run.isConsistent)
    }
}
