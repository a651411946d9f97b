import Glibc

/// SIGHUP as something to wait for, instead of the end of the program. Several that nobody has waited for are one.
final class HangUps: Sendable {
    let signals: AsyncStream<Void>
    private let watch: SignalWatch

    init() {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        signals = stream
        watch = SignalWatch([SIGHUP], label: "settle.hangups") { continuation.yield() }
    }
}
