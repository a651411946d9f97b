import Glibc

/// A file descriptor that becomes readable when somebody, on any thread, asks for attention: a pipe to oneself.
package struct WakeSignal: ~Copyable, Sendable {
    package let descriptor: CInt
    private let raiser: CInt

    package init() throws(SocketFailure) {
        var ends: [CInt] = [-1, -1]
        guard pipe(&ends) == 0 else {
            throw SocketFailure("make a wake-up signal", reason: String(cString: strerror(errno)))
        }
        for end in ends {
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
        }
        descriptor = ends[0]
        raiser = ends[1]
    }

    deinit {
        close(descriptor)
        close(raiser)
    }

    func raise() {
        var byte: UInt8 = 1
        // Fails only when the pipe is full, and then the signal is up already.
        _ = write(raiser, &byte, 1)
    }

    func clear() {
        var bytes: (UInt64, UInt64) = (0, 0)
        while read(descriptor, &bytes, 16) == 16 {}
    }
}
