import CommandKit
import Foundation
import Glibc
import Repository
import TradeModel

/// Why nothing can be added to the running CSV as it is.
enum RunningCSVProblem: Error, CustomStringConvertible {
    case isLocked(String)
    case isNoRegularFile(String)
    case isSomethingElse(String)
    case isOfOtherBooks(String, BatchNumber)
    case isInAnotherOrder(String)
    case isCutShort(String)

    var description: String {
        switch self {
        case .isLocked(let path): "another process writes \(path)"
        case .isNoRegularFile(let path): "\(path) is no regular file"
        case .isSomethingElse(let path): "\(path) does not begin with the columns of settled trades; move it away"
        case .isOfOtherBooks(let path, let batch):
            "\(path) goes up to batch \(batch), which these books do not have; move it and \(path).place away"
        case .isCutShort(let path):
            "\(path) has less than \(path).place says; put the lines that were cut off back, or move both away"
        case .isInAnotherOrder(let path):
            "\(path) is in the order of commits, as an earlier version wrote it, and \(path).place no longer says how "
                + "far it goes; move both away"
        }
    }
}

/// The running CSV of settled trades on disk: whole batches in the order of their numbers.
///
/// What was added is synced before the place moves on. So what stands behind the place came in a round that was not
/// finished, and is cut off and written anew.
final class RunningCSVFile {
    let path: String
    /// The last batch that is in it, or was in the file before it.
    private(set) var batch: CommittedBatches.Place
    /// What comes up to here in the order of commits is in it as well; nil where that is no more than the above.
    private(set) var read: CommittedBatches.Place?
    private let place: RunningCSVPlace
    private let descriptor: Int32
    private let inode: UInt64
    private var size: Int

    private static let header = Array(ExportFormat.csv.header(ExportedTrade.columns).utf8)

    /// Opens the file for adding to it, or makes a new one, which goes on where the one before it ended.
    ///
    /// - Parameter isKnown: whether the books have this batch, committed at this time.
    init(_ path: String, isKnown: (CommittedBatches.Place) throws -> Bool) throws {
        self.path = path
        guard let place = try RunningCSVPlace.lock(beside: path) else {
            throw RunningCSVProblem.isLocked(path.printable)
        }
        self.place = place
        let descriptor = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw FileProblem(.write, path) }
        self.descriptor = descriptor
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw FileProblem(.read, path) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw RunningCSVProblem.isNoRegularFile(path.printable) }
        inode = UInt64(status.st_ino)
        size = Int(status.st_size)
        // It may have another name, beside which lies another place.
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else { throw RunningCSVProblem.isLocked(path.printable) }

        let last = try place.read()
        (batch, read) = (last?.batch ?? .beginning, last?.read)
        let beginning = try RunningCSVEnd.bytes(0..<min(size, Self.header.count), of: descriptor, path)
        guard Self.header.starts(with: beginning) else { throw RunningCSVProblem.isSomethingElse(path.printable) }
        if size < Self.header.count {
            if let last, last.inode != inode { try Self.cutRotated(last, beside: path) }
            try begin()
        } else if let last, last.inode == inode, last.size <= size {
            try cut(to: last.size)
        } else {
            // Somebody put it there without its place: it goes up to its last batch but one for certain.
            let end = try RunningCSVEnd.lastWhole(descriptor, size: size, headerSize: Self.header.count, path)
            var whole = end.size
            switch (end.batch, read) {
            // All of it was written by an earlier version.
            case (let found?, _?) where batch == .beginning: read = found
            case (let found?, nil) where end.isByNumber: batch = found
            case (nil, _) where size == Self.header.count || last == nil: break
            case (nil, nil):
                // Copied, and put in its own place: its lines are the last that were written.
                guard let last, end.only == batch, last.size <= size else {
                    throw RunningCSVProblem.isCutShort(path.printable)
                }
                whole = last.size
            default: throw RunningCSVProblem.isInAnotherOrder(path.printable)
            }
            try cut(to: whole)
        }
        for known in [batch, read].compactMap(\.self) where known.batch >= 0 {
            guard try isKnown(known) else { throw RunningCSVProblem.isOfOtherBooks(path.printable, known.batch) }
        }
        try place.write(content)
    }

    deinit { close(descriptor) }

    private var content: RunningCSVPlace.Content {
        RunningCSVPlace.Content(batch: batch, read: read, inode: inode, size: size)
    }

    /// Whether the file still has its name and its size. Where it was rotated, the next one is to be opened.
    var isInPlace: Bool {
        var status = stat()
        return stat(path, &status) == 0 && UInt64(status.st_ino) == inode && Int(status.st_size) == size
    }

    /// Adds the lines of whole batches, and moves the place behind them when they are on the disk.
    ///
    /// After an error the file is to be opened anew.
    ///
    /// - Parameter isAll: whether all are in it that came before this batch in any order.
    func append(_ text: String, upTo batch: CommittedBatches.Place, isAll: Bool = false) throws {
        if !text.isEmpty {
            try write(Array(text.utf8))
            guard fdatasync(descriptor) == 0 else { throw FileProblem(.write, path) }
        }
        guard batch != self.batch || isAll && read != nil else { return }
        self.batch = batch
        if isAll { read = nil }
        try place.write(content)
    }

    private func write(_ bytes: [UInt8]) throws {
        try FileProblem.write(bytes, to: descriptor, of: path)
        size += bytes.count
    }

    private func cut(to size: Int) throws {
        guard size < self.size else { return }
        guard ftruncate(descriptor, off_t(size)) == 0, fsync(descriptor) == 0 else { throw FileProblem(.write, path) }
        self.size = size
    }

    /// Writes the header, and sees to it that the file keeps its name.
    private func begin() throws {
        try cut(to: 0)
        try write(Self.header)
        guard fsync(descriptor) == 0 else { throw FileProblem(.write, path) }
        let folder = open(URL(fileURLWithPath: path).deletingLastPathComponent().path, O_RDONLY | O_CLOEXEC)
        guard folder >= 0 else { throw FileProblem(.write, path) }
        defer { close(folder) }
        guard fsync(folder) == 0 else { throw FileProblem(.write, path) }
    }

    /// What was not finished when a crash came, and was then moved away with the file, will be in the new one.
    private static func cutRotated(_ last: RunningCSVPlace.Content, beside path: String) throws {
        let url = URL(fileURLWithPath: path)
        let folder = url.deletingLastPathComponent().path
        for name in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        where name.hasPrefix(url.lastPathComponent) {
            let old = "\(folder)/\(name)"
            let descriptor = open(old, O_RDWR | O_CLOEXEC | O_NOFOLLOW)
            guard descriptor >= 0 else { continue }
            defer { close(descriptor) }
            var status = stat()
            // Numbers of files are used again: it must also look like what we wrote.
            guard fstat(descriptor, &status) == 0, UInt64(status.st_ino) == last.inode,
                status.st_mode & S_IFMT == S_IFREG, Int(status.st_size) > last.size,
                try RunningCSVEnd.bytes(0..<header.count, of: descriptor, old) == header
            else { continue }
            guard ftruncate(descriptor, off_t(last.size)) == 0 else { throw FileProblem(.write, old) }
        }
    }
}
