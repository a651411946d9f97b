import Dispatch
import Glibc
import ServiceKit

/// The signals that ask a service to end: the first in order, the second at once, the third without any ado.
///
/// Unchecked, since Dispatch does not say that its sources may be shared; they are only kept alive here.
final class StopSignals: @unchecked Sendable {
    private let count = Guarded(0)
    private let sources: [any DispatchSourceSignal]

    init(first: @escaping @Sendable () -> Void, second: @escaping @Sendable () -> Void) {
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
                default: _exit(130)
                }
            }
            source.resume()
        }
    }

    /// From now on a signal ends the program on the spot: what is left to do may be cut short at any point.
    func letGo() {
        for source in sources { source.cancel() }
        for number in [SIGINT, SIGTERM] { signal(number, SIG_DFL) }
    }

    /// Whether somebody insisted.
    var wasForced: Bool { count.withLock { $0 } > 1 }
}
