import ServiceKit

/// The engine's door for orders: a ZeroMQ ROUTER socket that one thread owns.
public struct EntrySocket: ~Copyable {
    /// Who asked, to be answered.
    public struct Caller: Hashable, Sendable {
        let route: [UInt8]
    }

    /// What other threads may hold: it ends a wait.
    public final class Waker: Sendable {
        let signal: WakeSignal

        init() throws(SocketFailure) { signal = try WakeSignal() }

        public func wake() { signal.raise() }
    }

    /// For each caller, and twice as many as it should have on their way.
    private static let highWater = Int32(2 * EntryClient.windowMax)

    /// What callers connect to: where a port or a path was left open, the one that was chosen.
    public let endpoint: String
    public let waker: Waker
    private let socket: ZeroMQSocket

    public init(endpoint: String) throws(SocketFailure) {
        let waker = try Waker()
        let socket = try ZeroMQSocket.open(
            .router, highWater: Self.highWater, messageBytesMax: Int64(EntryMessage.questionBytesMax))
        self.endpoint = try socket.bind(endpoint)
        self.waker = waker
        self.socket = socket
    }

    /// Waits until somebody asks something or wakes us.
    public func wait(_ timeout: Duration) throws(SocketFailure) {
        try socket.waitToReceive(or: waker.signal.descriptor, timeout: timeout)
        waker.signal.clear()
    }

    /// The next message, if one is there.
    public func receive() throws(SocketFailure) -> (Caller, Result<EntryMessage, MalformedEntryMessage>)? {
        guard let frame = try socket.receiveFrame(routed: true) else { return nil }
        let caller = Caller(route: frame.route)
        guard frame.parts == 1 else { return (caller, .failure(.otherProtocol)) }
        return (caller, Result { () throws(MalformedEntryMessage) in try EntryMessage(frame.bytes) })
    }

    /// Answers. Whoever is gone, or takes nothing, asks again.
    public func send(_ message: EntryMessage, to caller: Caller) throws(SocketFailure) {
        _ = try socket.sendNow(message.encode(), [], to: caller.route)
    }
}
