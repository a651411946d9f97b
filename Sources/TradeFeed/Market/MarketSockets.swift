import ServiceKit

/// Tells whoever listens: a ZeroMQ PUB socket. Who listens too slowly misses something, and nobody waits.
///
/// It is not thread-safe: whoever owns it calls it from one place.
public struct MarketPublisherSocket: ~Copyable {
    private static let highWater: Int32 = 10_000

    private let socket: ZeroMQSocket
    /// Where a port was left open, the one that was chosen.
    public let endpoint: String

    public init(endpoint: String) throws(SocketFailure) {
        let socket = try ZeroMQSocket.open(.publisher, highWater: Self.highWater, messageBytesMax: 1 << 10)
        self.endpoint = try socket.bind(endpoint)
        self.socket = socket
    }

    public func send(_ message: MarketMessage) throws(SocketFailure) {
        _ = try socket.sendNow(message.json, [], to: Array(message.subject.utf8))
    }
}

/// Listens to what is told of markets: a ZeroMQ SUB socket on a thread of its own.
public actor MarketListener {
    private static let highWater: Int32 = 10_000
    private static let messageBytesMax: Int64 = 1 << 20

    private let executor = BlockingExecutor(label: "settle.market")
    private let socket: ZeroMQSocket
    private let wake: WakeSignal
    private let hasStopped = Guarded(false)
    public nonisolated var isStopped: Bool { hasStopped.withLock { $0 } }

    public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// - Parameter subjects: beginnings of the subjects that are wanted.
    public init(endpoint: String, subjects: [String]) throws(SocketFailure) {
        socket = try ZeroMQSocket.open(
            .subscriber, highWater: Self.highWater, messageBytesMax: Self.messageBytesMax)
        for subject in subjects { try socket.subscribe(to: subject) }
        try socket.connect(endpoint)
        wake = try WakeSignal()
    }

    /// The next message; nil when none came in time, or `stop` was called.
    public func next(within patience: Duration) throws(SocketFailure) -> MarketMessage? {
        let deadline = ContinuousClock.now + patience
        while true {
            if let frame = try socket.receiveFrame(routed: true), frame.parts == 1 {
                return MarketMessage(subject: String(decoding: frame.route, as: UTF8.self), json: frame.bytes)
            }
            let remaining = ContinuousClock.now.duration(to: deadline)
            guard remaining > .zero, !isStopped else { return nil }
            try socket.waitToReceive(or: wake.descriptor, timeout: remaining)
        }
    }

    /// Ends a wait, for good.
    public nonisolated func stop() {
        hasStopped.withLock { $0 = true }
        wake.raise()
    }
}
