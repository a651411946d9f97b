import Dispatch
import Glibc
import ServiceKit

/// The signals that ask a service to end: the first in order, the second at once, the third without any ado.
///
/// Unchecked, since Dispatch does not say that its sources may be shared; they are only kept alive here.
final class StopSignals: @unchecked Sendable {
    private let count = Guarded(0)
    private let sources: [any DispatchSourceSignal]
    private let first: @Sendable () -> Void

    /// - Parameter last: what must be done even when nothing else is.
    init(
        first: @escaping @Sendable () -> Void, second: @escaping @Sendable () -> Void,
        last: @escaping @Sendable () -> Void = {}
    ) {
        self.first = first
        let queue = DispatchQueue(label: "settle.signals")
        sources = [SIGINT, SIGTERM].map { number in
            signal(number, SIG_IGN)
            return DispatchSource.makeSignalSource(signal: number, queue: queue)
        }
        for source in sources {
            source.setEventHandler { [count] in
                let nth = count.withLock { count in
                    count += 1
                    return count
                }
                switch nth {
                case 1: first()
                case 2: second()
                default:
                    last()
                    _exit(130)
                }
            }
            source.resume()
        }
    }

    /// Does what the first signal would do, once: for those who ask in another way.
    func askToStop() {
        let isFirst = count.withLock { count in
            defer { count = max(1, count) }
            return count == 0
        }
        if isFirst { first() }
    }

    /// From now on a signal ends the program on the spot: what is left to do may be cut short at any point.
    func letGo() {
        for source in sources { source.cancel() }
        for number in [SIGINT, SIGTERM] { signal(number, SIG_DFL) }
    }

    /// Whether somebody insisted.
    var wasForced: Bool { count.withLock { $0 } > 1 }
}
