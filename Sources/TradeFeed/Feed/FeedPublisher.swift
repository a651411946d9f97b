import ServiceKit
import Synchronization
import TradeModel

/// Publishes a log to any number of consumers, each from its own sequence at its own pace: a ZeroMQ ROUTER socket.
///
/// Nobody waits for a consumer: one that is slow, away or hostile costs what the log must keep for it.
public final class FeedPublisher: Sendable {
    public struct Settings: Hashable, Sendable {
        public var sessions = FeedSessions.Settings()
        /// Whether a record is published only once it survives the machine's failure.
        public var onlyDurable = false
        /// Where the places of consumers are remembered; nil forgets them when the publisher ends.
        public var placeFile: String?

        public init() {}
    }

    /// What other threads may touch while the publisher runs.
    final class Control: Sendable {
        struct State: Sendable {
            var isStopped = false
            /// Nil until it may publish.
            var epoch: UInt64?
            var status: [FeedConsumerStatus] = []
            var counts = FeedCounts()
            var keptFrom: Int64?
            var forgotten: [Identifier] = []
        }

        let state = Guarded(State())
        let wake: WakeSignal
        /// Whether the publisher sleeps, and has to be woken to see new records.
        let sleeps = Atomic(false)

        init() throws(SocketFailure) {
            wake = try WakeSignal()
        }
    }

    /// What consumers connect to: where a port or a path was left open, the one that was chosen.
    public let endpoint: String
    public let stream: Identifier
    private let control: Control
    private let loop: PublisherLoop

    /// Listens on `tcp://host:port` (`*` for any free port) or `ipc://path`, or throws why that is not possible.
    ///
    /// The epoch grows each time that another process takes the lead of the stream. Without one the endpoint is taken,
    /// and nobody is answered until `begin`.
    public init(
        endpoint: String, stream: Identifier, epoch: UInt64?, log: any RecordLog, settings: Settings = Settings(),
        diagnostics: Log = .silent
    ) throws {
        let file = settings.placeFile.map { FeedPlaceFile(path: $0) }
        let places = try file?.load() ?? []
        let control = try Control()
        let socket = try ZeroMQSocket.open(
            .router, highWater: Int32(2 * FeedLimits.creditBatchesMax),
            messageBytesMax: Int64(FeedLimits.consumerMessageBytesMax))
        self.endpoint = try socket.bind(endpoint)
        self.stream = stream
        self.control = control
        let sessions = FeedSessions(stream: stream, epoch: epoch ?? 0, places: places, settings: settings.sessions)
        control.state.withLock { state in
            state.epoch = epoch
            state.status = sessions.status
            state.keptFrom = sessions.keptFrom
        }
        loop = PublisherLoop(
            socket: socket, sessions: sessions, log: log, onlyDurable: settings.onlyDurable, placeFile: file,
            control: control, diagnostics: diagnostics)
    }

    /// Publishes until it is stopped or the task is cancelled; then the endpoint is free again.
    public func run() async throws {
        try await withTaskCancellationHandler {
            try await loop.run()
        } onCancel: {
            stop()
        }
    }

    /// Publishes from now on, under this epoch: for one that was made without.
    public func begin(epoch: UInt64) {
        control.state.withLock { $0.epoch = epoch }
        control.wake.raise()
    }

    public func stop() {
        control.state.withLock { $0.isStopped = true }
        control.wake.raise()
    }

    /// Tells that the log has new records to publish. It costs next to nothing while the publisher is at work anyway.
    public func recordsWereAdded() {
        if control.sleeps.exchange(false, ordering: .sequentiallyConsistent) { control.wake.raise() }
    }

    /// Who has got how far.
    public var consumers: [FeedConsumerStatus] { control.state.withLock { $0.status } }
    public var counts: FeedCounts { control.state.withLock { $0.counts } }

    /// The first record that a consumer may still ask for; nil when there is nobody to keep records for.
    ///
    /// It trails what consumers have acknowledged, as it tells only of places that are remembered already.
    public var keptFrom: Int64? { control.state.withLock { $0.keptFrom } }

    /// Keeps nothing any longer for a consumer that will not come back. One that follows the stream stays.
    public func forget(_ consumer: Identifier) {
        control.state.withLock { $0.forgotten.append(consumer) }
        control.wake.raise()
    }
}
