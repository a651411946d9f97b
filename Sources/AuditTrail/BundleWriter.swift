import Glibc

/// Writes the files of a bundle, line by line, into a folder that gets its name when it is complete.
public final class BundleWriter {
    private final class File {
        let name: String
        let descriptor: Int32
        let hash = SHA256()
        var buffer: [UInt8] = []
        var lines: Int64 = 0
        var bytes: Int64 = 0

        init(_ name: String, descriptor: Int32) {
            self.name = name
            self.descriptor = descriptor
        }

        deinit { close(descriptor) }
    }

    private static let bufferBytesMax = 1 << 18

    private let path: String
    private let unfinishedPath: String
    private var files: [BundleContent: File] = [:]
    private var isFinished = false

    /// - Throws: `errno` of what could not be made, such as `EEXIST`.
    public init(_ path: String) throws(WriteProblem) {
        let path = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
        self.path = path
        unfinishedPath = "\(path).unfinished-\(getpid())"
        // Fails early, before the work.
        guard access(path, F_OK) != 0 else { throw WriteProblem(code: EEXIST) }
        guard mkdir(unfinishedPath, 0o755) == 0 else { throw WriteProblem(code: errno) }
        for content in BundleContent.allCases {
            files[content] = File(content.fileName, descriptor: try create(content.fileName))
        }
    }

    /// What was not finished goes.
    deinit {
        guard !isFinished else { return }
        for name in BundleContent.allCases.map(\.fileName) + [BundleManifest.fileName] {
            unlink("\(unfinishedPath)/\(name)")
        }
        rmdir(unfinishedPath)
    }

    private func create(_ name: String) throws(WriteProblem) -> Int32 {
        let descriptor = open("\(unfinishedPath)/\(name)", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw WriteProblem(code: errno) }
        return descriptor
    }

    public func write(_ line: String, to content: BundleContent) throws(WriteProblem) {
        guard let file = files[content] else { return }
        file.buffer += line.utf8
        file.buffer.append(UInt8(ascii: "\n"))
        file.lines += 1
        if file.buffer.count > Self.bufferBytesMax { try flush(file) }
    }

    private func flush(_ file: File) throws(WriteProblem) {
        file.hash.update(file.buffer)
        file.bytes += Int64(file.buffer.count)
        try Self.write(file.buffer, to: file.descriptor)
        file.buffer.removeAll(keepingCapacity: true)
    }

    private static func write(_ bytes: [UInt8], to descriptor: Int32) throws(WriteProblem) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            guard count >= 0 || errno == EINTR else { throw WriteProblem(code: errno) }
            rest = rest.dropFirst(max(0, count))
        }
    }

    /// Ends the files, writes the manifest that is made of what they hold, and gives the folder its name.
    public func finish(_ manifest: ([BundleManifest.File]) throws -> BundleManifest) throws {
        var entries: [BundleManifest.File] = []
        for content in BundleContent.allCases {
            guard let file = files[content] else { continue }
            try flush(file)
            guard fsync(file.descriptor) == 0 else { throw WriteProblem(code: errno) }
            entries.append(
                BundleManifest.File(
                    name: file.name, columns: content.columns, lines: file.lines, bytes: file.bytes,
                    sha256: "\(file.hash.finish())"))
        }
        let descriptor = try create(BundleManifest.fileName)
        defer { close(descriptor) }
        try Self.write(manifest(entries).encoded(), to: descriptor)
        guard fsync(descriptor) == 0 else { throw WriteProblem(code: errno) }
        // An empty folder of that name would be replaced, anything else is in the way.
        guard rename(unfinishedPath, path) == 0 else {
            throw WriteProblem(code: errno == ENOTEMPTY || errno == ENOTDIR ? EEXIST : errno)
        }
        isFinished = true
        // Names last when their folders are on disk, too.
        let parent = path.lastIndex(of: "/").map { String(path[...$0]) } ?? "."
        for folder in [path, parent] {
            let opened = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            guard opened >= 0 else { throw WriteProblem(code: errno) }
            defer { close(opened) }
            guard fsync(opened) == 0 else { throw WriteProblem(code: errno) }
        }
    }
}

/// Why a bundle could not be written, as an `errno`.
public struct WriteProblem: Error, Equatable {
    public let code: Int32
}
