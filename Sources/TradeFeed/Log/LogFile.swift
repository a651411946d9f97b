import Glibc

/// A file of a log, open; every failure names it.
final class LogFile: Sendable {
    let path: String
    private let descriptor: CInt

    private init(path: String, descriptor: CInt) {
        self.path = path
        self.descriptor = descriptor
    }

    deinit {
        // Closing alone would not give a lock back at once: a child between fork and exec has a copy of the descriptor.
        flock(descriptor, LOCK_UN)
        close(descriptor)
    }

    static func open(_ path: String, writable: Bool, creating: Bool = false) throws(LogFailure) -> LogFile {
        let flags = (writable ? O_RDWR : O_RDONLY) | (creating ? O_CREAT : 0) | O_CLOEXEC
        let descriptor = Glibc.open(path, flags, 0o640)
        guard descriptor >= 0 else { throw .system(path, action: "open") }
        return LogFile(path: path, descriptor: descriptor)
    }

    static func exists(_ path: String) throws(LogFailure) -> Bool {
        guard access(path, F_OK) != 0 else { return true }
        guard errno == ENOENT else { throw .system(path, action: "open") }
        return false
    }

    /// What is in a folder is durable only when the folder is, too.
    static func syncFolder(_ path: String) throws(LogFailure) {
        let descriptor = Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .system(path, action: "open") }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw .system(path, action: "make durable") }
    }

    static func rename(_ old: String, to new: String) throws(LogFailure) {
        guard Glibc.rename(old, new) == 0 else { throw .system(new, action: "make") }
    }

    static func remove(_ path: String) throws(LogFailure) {
        guard unlink(path) == 0 || errno == ENOENT else { throw .system(path, action: "remove") }
    }

    /// The names in a folder, which is made if it is missing.
    static func names(inFolder path: String) throws(LogFailure) -> [String] {
        guard mkdir(path, 0o750) == 0 || errno == EEXIST else { throw .system(path, action: "make") }
        guard let folder = opendir(path) else { throw .system(path, action: "read") }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            names.append(
                withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                    String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
                })
        }
        return names
    }

    /// Whether nobody else has it locked; the lock lasts as long as the file is open.
    func lock() throws(LogFailure) {
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let reason = errno == EWOULDBLOCK ? "another process has it" : String(cString: strerror(errno))
            throw .unusable(file: path, action: "lock", reason: reason)
        }
    }

    func byteCount() throws(LogFailure) -> Int64 {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw .system(path, action: "read") }
        return Int64(status.st_size)
    }

    /// Reads so many bytes, or fewer where the file ends.
    func read(at offset: Int64, byteCount: Int) throws(LogFailure) -> [UInt8] {
        var failed = false
        let bytes = [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, filled in
            while filled < byteCount {
                let count = pread(descriptor, buffer.baseAddress! + filled, byteCount - filled, off_t(offset) + filled)
                if count < 0, errno == EINTR { continue }
                failed = count < 0
                guard count > 0 else { return }
                filled += count
            }
        }
        guard !failed else { throw .system(path, action: "read") }
        return bytes
    }

    func write(_ bytes: [UInt8], at offset: Int64) throws(LogFailure) {
        let failed = bytes.withUnsafeBytes { buffer in
            var written = 0
            while written < buffer.count {
                let count = pwrite(
                    descriptor, buffer.baseAddress! + written, buffer.count - written, off_t(offset) + written)
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { return true }
                written += count
            }
            return false
        }
        guard !failed else { throw .system(path, action: "write") }
    }

    func truncate(to byteCount: Int64) throws(LogFailure) {
        guard ftruncate(descriptor, off_t(byteCount)) == 0 else { throw .system(path, action: "cut") }
    }

    func sync() throws(LogFailure) {
        guard fdatasync(descriptor) == 0 else { throw .system(path, action: "make durable") }
    }
}

extension LogFailure {
    fileprivate static func system(_ file: String, action: String) -> LogFailure {
        .unusable(file: file, action: action, reason: String(cString: strerror(errno)))
    }
}
