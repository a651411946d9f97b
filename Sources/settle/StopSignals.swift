import Glibc
import ServiceKit

/// The signals that ask a service to end: the first in order, the second at once, the third without any ado.
final class StopSignals: Sendable {
    private let count: Guarded<Int>
    private let watch: SignalWatch
    private let first: @Sendable () -> Void

    /// - Parameter last: what must be done even when nothing else is.
    init(
        first: @escaping @Sendable () -> Void, second: @escaping @Sendable () -> Void,
        last: @escaping @Sendable () -> Void = {}
    ) {
        self.first = first
        let count = Guarded(0)
        self.count = count
        watch = SignalWatch([SIGINT, SIGTERM], label: "settle.signals") {
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
        watch.letGo()
    }

    /// Whether somebody insisted.
    var wasForced: Bool { count.withLock { $0 } > 1 }
}
