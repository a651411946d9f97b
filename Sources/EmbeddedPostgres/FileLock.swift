import Glibc

/// An open lock file; what it locks is given back when it goes away, however the process ends.
struct FileLock: ~Copyable {
    enum Mode: Int32 {
        /// `LOCK_SH`
        case shared = 1
        /// `LOCK_EX`
        case exclusive = 2
    }

    let path: String
    let descriptor: Int32
    private var isLeftToChild = false

    init(path: String) throws(EmbeddedPostgresError) {
        self.path = path
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw .system(path, "open") }
    }

    /// Waits until the lock is ours.
    func lock(_ mode: Mode) throws(EmbeddedPostgresError) {
        while flock(descriptor, mode.rawValue) != 0 {
            guard errno == EINTR else { throw .system(path, "lock") }
        }
    }

    /// Takes the lock if nobody is in the way.
    func tryLock(_ mode: Mode) throws(EmbeddedPostgresError) -> Bool {
        while flock(descriptor, mode.rawValue | LOCK_NB) != 0 {
            if errno == EWOULDBLOCK { return false }
            guard errno == EINTR else { throw .system(path, "lock") }
        }
        return true
    }

    /// From here on the lock is that of the child process that got a copy of the descriptor.
    mutating func leaveToChild() { isLeftToChild = true }

    deinit {
        // Closing alone would not do: a child between fork and exec has a copy for an instant.
        if !isLeftToChild { flock(descriptor, LOCK_UN) }
        close(descriptor)
    }
}

extension EmbeddedPostgresError {
    /// What the last system call said about `path`.
    static func system(_ path: String, _ doing: String, code: Int32 = errno) -> EmbeddedPostgresError {
        .fileSystem(path: path, doing: doing, reason: String(cString: strerror(code)))
    }
}
