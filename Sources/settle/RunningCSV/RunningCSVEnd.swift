import CommandKit
import Glibc
import Repository
import TradeModel

/// Finds the end of a running CSV of which nothing but itself is known.
enum RunningCSVEnd {
    struct End {
        /// The last batch that is whole for certain; nil where there is none.
        let batch: CommittedBatches.Place?
        /// The only batch whose lines are there; nil where there is none, or another.
        let only: CommittedBatches.Place?
        /// The length of the file with what is whole.
        let size: Int
        /// Whether the newest part of the file is in the order of the batches' numbers, as far as was looked.
        let isByNumber: Bool
    }

    /// Numbers are given out in the order of commits but for those under way together: thousands of lines tell.
    private static let blockSize = 1 << 20

    /// The last batch may lack lines, and the last line its end. So it is the batch before.
    static func lastWhole(_ descriptor: Int32, size: Int, headerSize: Int, _ path: String) throws -> End {
        var blockSize = Self.blockSize
        while true {
            let start = max(headerSize, size - blockSize)
            let bytes = try bytes(start..<size, of: descriptor, path)
            var (last, found): (CommittedBatches.Place?, End?)
            var isByNumber = true
            // From the end: a line and where it ends.
            var end = bytes.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
            while end > 0 {
                let lineStart = bytes[..<(end - 1)].lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
                // The first of the bytes may be in the middle of a line.
                guard lineStart > 0 || start == headerSize else { break }
                guard let batch = batch(of: bytes[lineStart..<end]) else {
                    throw RunningCSVProblem.isSomethingElse(path.printable)
                }
                if let last, last != batch {
                    isByNumber = isByNumber && batch.batch < last.batch
                    if found == nil { found = End(batch: batch, only: nil, size: start + end, isByNumber: true) }
                }
                last = batch
                end = lineStart
            }
            if let found { return End(batch: found.batch, only: nil, size: found.size, isByNumber: isByNumber) }
            guard start > headerSize else { return End(batch: nil, only: last, size: headerSize, isByNumber: true) }
            blockSize *= 4
        }
    }

    /// The first two fields of a line, neither of which is ever quoted.
    private static func batch(of line: ArraySlice<UInt8>) -> CommittedBatches.Place? {
        let fields = line.split(separator: UInt8(ascii: ","), maxSplits: 2, omittingEmptySubsequences: false)
        guard fields.count == 3, let time = Timestamp(String(decoding: fields[0], as: UTF8.self)),
            let batch = Int64(String(decoding: fields[1], as: UTF8.self))
        else { return nil }
        return CommittedBatches.Place(time: time, batch: batch)
    }

    static func bytes(_ range: Range<Int>, of descriptor: Int32, _ path: String) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: range.count)
        var count = 0
        while count < range.count {
            let more = bytes.withUnsafeMutableBytes { buffer in
                pread(descriptor, buffer.baseAddress! + count, range.count - count, off_t(range.lowerBound + count))
            }
            guard more >= 0 || errno == EINTR else { throw FileProblem(.read, path) }
            guard more != 0 else { break }
            count += max(0, more)
        }
        return Array(bytes[..<count])
    }
}
