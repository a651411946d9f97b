import CommandKit
import Glibc
import Repository
import TradeModel

/// Up to where the running CSV is whole, in a small file beside it. Who has that locked is the one who writes the CSV.
///
/// It is written over in place, within one sector of the disk, so that it is as before or as wanted whatever happens.
final class RunningCSVPlace {
    struct Content: Equatable {
        /// The last batch, in the order of numbers, up to which all trades are in the file, or in one before it.
        var batch: CommittedBatches.Place
        /// What comes up to here in the order of commits is in it as well: so far came an earlier version, which went
        /// by that order.
        var read: CommittedBatches.Place?
        /// Which file that was, and how long it was with that batch.
        var inode: UInt64
        var size: Int
    }

    private static let byteCount = 256
    /// What the line begins with, unless an earlier version wrote it.
    private static let mark = "by-number"
    private static let readMark = "and-before"
    private let path: String
    private let descriptor: Int32

    /// Opens the file and locks it; nil when another process has it.
    static func lock(beside path: String) throws -> RunningCSVPlace? {
        let path = path + ".place"
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw FileProblem(.write, path) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let code = errno
            close(descriptor)
            if code == EWOULDBLOCK { return nil }
            throw FileProblem(.write, path, code: code)
        }
        return RunningCSVPlace(path, descriptor)
    }

    private init(_ path: String, _ descriptor: Int32) {
        self.path = path
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }

    /// nil where nothing has been written yet.
    func read() throws -> Content? {
        var bytes = [UInt8](repeating: 0, count: Self.byteCount)
        let count = bytes.withUnsafeMutableBytes { pread(descriptor, $0.baseAddress, $0.count, 0) }
        guard count >= 0 else { throw FileProblem(.read, path) }
        return Self.content(
            String(decoding: bytes[..<count], as: UTF8.self).split(whereSeparator: \.isWhitespace).map(String.init))
    }

    /// `by-number TIME BATCH SIZE INODE`, and where an earlier version came so far, `and-before TIME BATCH`; of an
    /// earlier version `TIME BATCH SIZE INODE`.
    private static func content(_ words: [String]) -> Content? {
        func place(_ words: ArraySlice<String>) -> CommittedBatches.Place? {
            guard words.count == 2, let time = Timestamp(words.first!), let batch = Int64(words.last!) else {
                return nil
            }
            return CommittedBatches.Place(time: time, batch: batch)
        }
        let isByNumber = words.first == mark
        let fields = words.dropFirst(isByNumber ? 1 : 0)
        guard fields.count >= 4, let batch = place(fields.prefix(2)), let size = Int(fields[fields.startIndex + 2]),
            let inode = UInt64(fields[fields.startIndex + 3])
        else { return nil }
        let rest = fields.dropFirst(4)
        if !isByNumber {
            return rest.isEmpty ? Content(batch: .beginning, read: batch, inode: inode, size: size) : nil
        }
        guard !rest.isEmpty else { return Content(batch: batch, read: nil, inode: inode, size: size) }
        guard rest.first == readMark, let read = place(rest.dropFirst()) else { return nil }
        return Content(batch: batch, read: read, inode: inode, size: size)
    }

    /// Returns when it is on the disk.
    func write(_ content: Content) throws {
        let read = content.read.map { " \(Self.readMark) \($0.time) \($0.batch)" } ?? ""
        let line = "\(Self.mark) \(content.batch.time) \(content.batch.batch) \(content.size) \(content.inode)\(read)"
        let padding = String(repeating: " ", count: max(0, Self.byteCount - 1 - line.utf8.count))
        let bytes = Array((line + padding + "\n").utf8)
        let count = bytes.withUnsafeBytes { pwrite(descriptor, $0.baseAddress, $0.count, 0) }
        guard count == bytes.count, fdatasync(descriptor) == 0 else { throw FileProblem(.write, path) }
    }
}
