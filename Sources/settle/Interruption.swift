import Glibc
import ServiceKit

/// Lets long work ask between two steps whether it is to stop.
struct Interruption {
    private let flag: Guarded<Bool>
    private let signals: StopSignals

    /// - Parameter second: what a second signal does; without it, the program ends on the spot.
    init(second: @escaping @Sendable () -> Void = { _exit(130) }) {
        let flag = Guarded(false)
        self.flag = flag
        signals = StopSignals(first: { flag.withLock { $0 = true } }, second: second)
    }

    var isAsked: Bool { flag.withLock { $0 } }

    /// From now on a signal ends the program on the spot.
    func letGo() { signals.letGo() }
}
