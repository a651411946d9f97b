@preconcurrency import Glibc

/// Turns signals into something to wait for beside a descriptor. There is one in a process at a time.
final class SignalPipe: Sendable {
    enum Event {
        case signal(Int32)
        case bytes([UInt8])
        /// The descriptor has nothing more to give.
        case hungUp
        /// Somebody has closed the pipe.
        case closed
    }

    private let reading: Int32
    private let writing: Int32
    private let numbers: [Int32]

    init?(_ numbers: [Int32]) {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { return nil }
        for end in ends {
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
        }
        reading = ends[0]
        writing = ends[1]
        self.numbers = numbers
        destination = ends[1]
        for number in numbers {
            var action = sigaction()
            action.__sigaction_handler.sa_handler = { number in
                let error = errno
                var byte = UInt8(truncatingIfNeeded: number)
                _ = write(destination, &byte, 1)
                errno = error
            }
            action.sa_flags = SA_RESTART
            sigaction(number, &action, nil)
        }
    }

    deinit {
        Glibc.close(reading)
        Glibc.close(writing)
    }

    /// The signals mean what they always do again, and who waits is told.
    func close() {
        for number in numbers { signal(number, SIG_DFL) }
        destination = -1
        var byte: UInt8 = 0
        _ = write(writing, &byte, 1)
    }

    /// Waits for a signal or for bytes.
    func next(or descriptor: Int32) -> Event {
        while true {
            var sources = [
                pollfd(fd: reading, events: Int16(POLLIN), revents: 0),
                pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
            ]
            guard poll(&sources, 2, -1) > 0 else { continue }
            if sources[0].revents != 0 {
                var number: UInt8 = 0
                guard read(reading, &number, 1) == 1 else { continue }
                return number == 0 ? .closed : .signal(Int32(number))
            }
            var bytes = [UInt8](repeating: 0, count: 256)
            let count = read(descriptor, &bytes, bytes.count)
            if count > 0 { return .bytes(Array(bytes.prefix(count))) }
            if count < 0, errno == EINTR || errno == EAGAIN { continue }
            return .hungUp
        }
    }
}

/// Where the handler writes to: a plain global with a constant value, whose first use there initialises nothing.
nonisolated(unsafe) private var destination: Int32 = -1
