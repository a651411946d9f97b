import Dispatch
import Glibc

/// SIGHUP as something to wait for, instead of the end of the program. Several that nobody has waited for are one.
///
/// Unchecked, since Dispatch does not say that its sources may be shared; it is only kept alive here.
final class HangUps: @unchecked Sendable {
    let signals: AsyncStream<Void>
    private let source: any DispatchSourceSignal

    init() {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        signals = stream
        signal(SIGHUP, SIG_IGN)
        source = DispatchSource.makeSignalSource(signal: SIGHUP, queue: DispatchQueue(label: "settle.hangups"))
        source.setEventHandler { continuation.yield() }
        source.resume()
    }

    deinit { source.cancel() }
}
