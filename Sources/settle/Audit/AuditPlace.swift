import CommandKit
import Glibc
import Repository
import TradeModel

/// Up to where the running CSV is whole, in a small file beside it. Who has that locked is the one who writes the CSV.
///
/// It is written over in place, within one sector of the disk, so that it is as before or as wanted whatever happens.
final class AuditPlace {
    struct Content: Equatable {
        /// The last batch whose trades are in the file, or in one that was before it.
        var batch: CommittedBatches.Place
        /// Which file that was, and how long it was with that batch.
        var inode: UInt64
        var size: Int
    }

    private static let byteCount = 128
    private let path: String
    private let descriptor: Int32

    /// Opens the file and locks it; nil when another process has it.
    static func lock(beside path: String) throws -> AuditPlace? {
        let path = path + ".place"
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw FileProblem(.write, path) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let code = errno
            close(descriptor)
            if code == EWOULDBLOCK { return nil }
            throw FileProblem(.write, path, code: code)
        }
        return AuditPlace(path, descriptor)
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
        let words = String(decoding: bytes[..<count], as: UTF8.self).split(whereSeparator: \.isWhitespace)
        guard words.count == 4, let time = Timestamp(String(words[0])), let batch = Int64(words[1]),
            let size = Int(words[2]), let inode = UInt64(words[3])
        else { return nil }
        return Content(batch: CommittedBatches.Place(time: time, batch: batch), inode: inode, size: size)
    }

    /// Returns when it is on the disk.
    func write(_ content: Content) throws {
        let line = "\(content.batch.time) \(content.batch.batch) \(content.size) \(content.inode)"
        let padding = String(repeating: " ", count: max(0, Self.byteCount - 1 - line.utf8.count))
        let bytes = Array((line + padding + "\n").utf8)
        let count = bytes.withUnsafeBytes { pwrite(descriptor, $0.baseAddress, $0.count, 0) }
        guard count == bytes.count, fdatasync(descriptor) == 0 else { throw FileProblem(.write, path) }
    }
}
