import Glibc

/// A file that cannot be read or written, in the one form in which every command says it:
/// `cannot read trades.ndjson: no such file`.
public struct FileProblem: Error, Equatable, CustomStringConvertible {
    public enum Purpose: String, Sendable { case read, write }

    public let purpose: Purpose
    /// The file as it was named, or what else is meant: `the output`.
    public let path: String
    public let code: Int32

    public init(_ purpose: Purpose, _ path: String, code: Int32 = errno) {
        self.purpose = purpose
        self.path = path
        self.code = code
    }

    public var isMissing: Bool { code == ENOENT }

    /// What is to be read was named on the command line; that it can be written is the machine's affair.
    var failure: CommandFailure { CommandFailure("\(self)", exit: purpose == .read ? .usage : .refused) }

    public var description: String { "cannot \(purpose.rawValue) \(path.printable): \(reason)" }

    private var reason: String {
        switch code {
        case ENOENT: return purpose == .read ? "no such file" : "no such folder"
        case EACCES, EPERM: return "permission denied"
        case EISDIR: return "it is a folder"
        case ENOTDIR: return "a part of the path is not a folder"
        case EROFS: return "the file system is read-only"
        case ENOSPC: return "no space is left on the device"
        default:
            let words = String(cString: strerror(code))
            return words.prefix(1).lowercased() + words.dropFirst()
        }
    }

    /// Opens a file to be read and returns its descriptor. A folder is none.
    public static func open(_ path: String) throws(FileProblem) -> Int32 {
        let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileProblem(.read, path) }
        var status = stat()
        let isSeen = fstat(descriptor, &status) == 0
        guard isSeen, status.st_mode & S_IFMT != S_IFDIR else {
            let code = isSeen ? EISDIR : errno
            close(descriptor)
            throw FileProblem(.read, path, code: code)
        }
        return descriptor
    }

    /// Reads what is there, waiting for the first of it, and returns how many bytes that were; 0 at the end.
    ///
    /// - Parameter path: what is read, as a problem names it.
    public static func read(
        _ descriptor: Int32, into bytes: UnsafeMutableRawBufferPointer, of path: String
    ) throws(FileProblem) -> Int {
        while true {
            let count = Glibc.read(descriptor, bytes.baseAddress, bytes.count)
            if count >= 0 { return count }
            guard errno == EINTR else { throw FileProblem(.read, path) }
        }
    }

    /// Writes all of it.
    ///
    /// - Parameter path: what is written, as a problem names it.
    public static func write(
        _ bytes: [UInt8], to descriptor: Int32, of path: String
    ) throws(FileProblem) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            guard count >= 0 || errno == EINTR else { throw FileProblem(.write, path) }
            rest = rest.dropFirst(max(0, count))
        }
    }

    /// Reads up to the end, but no more than so many bytes.
    public static func read(
        _ descriptor: Int32, upToCount countMax: Int, of path: String
    ) throws(FileProblem) -> [UInt8] {
        let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: countMax, alignment: 1)
        defer { bytes.deallocate() }
        var count = 0
        while count < countMax {
            let rest = UnsafeMutableRawBufferPointer(rebasing: bytes[count...])
            let more = try read(descriptor, into: rest, of: path)
            if more == 0 { break }
            count += more
        }
        return Array(bytes[..<count])
    }
}
