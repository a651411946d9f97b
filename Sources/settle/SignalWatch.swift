import Dispatch
@preconcurrency import Glibc

/// Calls back for each arrival of some signals, from the moment on at which it is made.
///
/// It is no signal source of Dispatch: those begin to watch some time after they were made, and what comes before is
/// lost.
///
/// Unchecked, since Dispatch does not say that its sources may be shared; it is only kept alive here.
final class SignalWatch: @unchecked Sendable {
    private let numbers: [Int32]
    private let source: any DispatchSourceRead

    init(_ numbers: [Int32], label: String, _ handle: @escaping @Sendable () -> Void) {
        // Neither end is ever closed: a handler may still be about to write when the watch ends.
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else {
            preconditionFailure("there is no pipe for signals: \(String(cString: strerror(errno)))")
        }
        for end in ends {
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
        }
        let reading = ends[0]
        self.numbers = numbers
        source = DispatchSource.makeReadSource(fileDescriptor: reading, queue: DispatchQueue(label: label))
        source.setEventHandler {
            var byte: UInt8 = 0
            while read(reading, &byte, 1) == 1 { handle() }
        }
        source.resume()
        for number in numbers {
            destinations[Int(number)] = ends[1]
            var action = sigaction()
            action.__sigaction_handler.sa_handler = { number in
                let error = errno
                var byte: UInt8 = 1
                _ = write(destinations[Int(number)], &byte, 1)
                errno = error
            }
            action.sa_flags = SA_RESTART
            sigaction(number, &action, nil)
        }
    }

    /// From now on the signals mean what they always do.
    func letGo() {
        for number in numbers { signal(number, SIG_DFL) }
        source.cancel()
    }
}

/// Where the handler of each of the 64 signals writes to. It is made before the first handler, which only reads it.
nonisolated(unsafe) private let destinations = UnsafeMutablePointer<Int32>.allocate(capacity: 65)
