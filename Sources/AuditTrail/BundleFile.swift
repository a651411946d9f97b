import Glibc

/// A file of a bundle, read line by line in bounded memory; what it holds is hashed as it goes by.
final class BundleFile {
    /// No line of ours comes near it.
    private static let lineBytesMax = 1 << 16
    private static let chunkBytes = 1 << 18

    let name: String
    private let descriptor: Int32
    private let columnCount: Int
    private var buffer: [UInt8] = []
    private var position = 0
    private var isAtEnd = false
    private let whole = SHA256()
    private let section = SHA256()
    /// How many lines were handed out.
    private(set) var lineCount: Int64 = 0
    private(set) var byteCount: Int64 = 0
    /// Why nothing more can be read, other than that it has ended.
    private(set) var fault: String?

    /// Opens a plain file of a folder; neither what a link points to nor what would never end.
    init(_ name: String, columns: Int, in folder: String) throws(BundleProblem) {
        self.name = name
        columnCount = columns
        descriptor = open("\(folder)/\(name)", O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard descriptor >= 0 else {
            throw BundleProblem(errno == ENOENT ? "\(name) is missing" : "\(name) cannot be opened")
        }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            throw BundleProblem("\(name) is not a plain file")
        }
    }

    deinit {
        close(descriptor)
    }

    /// The next line, without its end; nil behind the last, or when there is a ``fault``.
    func next() -> BundleLine? {
        guard fault == nil else { return nil }
        var scanned = position
        while true {
            if let end = buffer[scanned...].firstIndex(of: UInt8(ascii: "\n")) {
                defer { position = end + 1 }
                lineCount += 1
                hash(buffer[position...end])
                let text = String(decoding: buffer[position..<end], as: UTF8.self)
                return BundleLine(text, file: name, number: lineCount, columns: columnCount)
            }
            scanned = buffer.count
            guard buffer.count - position <= Self.lineBytesMax else {
                fault = "line \(lineCount + 1) is longer than \(Self.lineBytesMax) bytes"
                return nil
            }
            if isAtEnd {
                if position < buffer.count { fault = "line \(lineCount + 1) is cut off" }
                return nil
            }
            buffer.removeFirst(position)
            scanned -= position
            position = 0
            fill()
        }
    }

    private func hash(_ bytes: ArraySlice<UInt8>) {
        whole.update(bytes)
        section.update(bytes)
        byteCount += Int64(bytes.count)
    }

    private func fill() {
        var chunk = [UInt8](repeating: 0, count: Self.chunkBytes)
        let count = chunk.withUnsafeMutableBytes { bytes in
            while true {
                let count = read(descriptor, bytes.baseAddress, bytes.count)
                if count >= 0 || errno != EINTR { return count }
            }
        }
        if count < 0 { fault = "it cannot be read" }
        isAtEnd = count <= 0
        buffer += chunk.prefix(max(0, count))
    }

    /// The digest of the lines since the last time that it was asked for.
    func sectionDigest() -> Digest { section.finish() }

    /// The digest of all of the file; asked for once, when its lines have been read.
    func wholeDigest() -> Digest { whole.finish() }
}

/// A line of a file, and where it stands.
struct BundleLine {
    static let null = "\\N"

    let file: String
    let number: Int64
    /// nil where they are not as many as the file has columns.
    let fields: [String]?

    init(_ text: String, file: String, number: Int64, columns: Int) {
        self.file = file
        self.number = number
        let fields = text.split(separator: "\t", omittingEmptySubsequences: false)
        self.fields = fields.count == columns ? fields.map(String.init) : nil
        self.text = text
    }

    let text: String
}
