import ServiceKit
import TradeModel

/// Follows a stream from its own place: every record once, in order, with its hash checked. A ZeroMQ DEALER socket.
///
/// `run` keeps the connection, makes it anew when it is lost, and ends with a `FeedFailure` when what is needed cannot
/// be had any more. Meanwhile one task takes the batches with `next`; the publisher sends no more than a few ahead of
/// it.
public final class FeedConsumer: Sendable {
    public struct Status: Hashable, Sendable {
        public var isFollowing = false
        public var received: Int64 = 0
        public var taken: Int64 = 0
        public var acknowledged: Int64 = 0
        /// The newest record that the publisher has told of.
        public var newest: Int64 = 0
        public var epoch: UInt64 = 0
        /// When the publisher last said anything, if it ever did.
        public var heardAt: ContinuousClock.Instant?
        /// Why the publisher does not answer for now, in its own words.
        public var refusal: String?
        public var counts = FeedCursor.Counts()

        public init() {}
    }

    public let endpoint: String
    public let start: FeedCursor.Start
    private let inbox: FeedInbox
    private let loop: ConsumerLoop

    /// Throws where the endpoint is none; whether somebody listens there is not looked at.
    ///
    /// - Parameter onArrival: called on another thread when there is something for `takeNow`.
    public init(
        endpoint: String, start: FeedCursor.Start, settings: FeedCursor.Settings = FeedCursor.Settings(),
        diagnostics: Log = .silent, onArrival: @escaping @Sendable () -> Void = {}
    ) throws(SocketFailure) {
        self.endpoint = endpoint
        self.start = start
        inbox = try FeedInbox(onArrival: onArrival)
        loop = try ConsumerLoop(
            endpoint: endpoint, cursor: FeedCursor(start, settings: settings, now: ContinuousClock().now),
            inbox: inbox, diagnostics: diagnostics)
    }

    /// Follows until it is stopped or the task is cancelled, or throws why it cannot go on.
    public func run() async throws {
        try await withTaskCancellationHandler {
            try await loop.run()
        } onCancel: {
            stop()
        }
    }

    /// Ends in good order; what has arrived can still be taken.
    public func stop() {
        inbox.stop()
    }

    /// Waits for the next records; nil when the consumer was stopped, and an error when it cannot go on.
    ///
    /// One task takes; taking gives credit for what comes behind.
    public func next() async throws -> RecordRun? {
        try await inbox.next()
    }

    /// The same, but no longer than so: a run without records says that none came in time.
    public func next(within patience: Duration) async throws -> RecordRun? {
        // Who stops waiting takes nothing: what comes later is there at the next call.
        let waiting = Task { try await next() }
        let timer = Task {
            try await Task.sleep(for: patience)
            waiting.cancel()
        }
        defer { timer.cancel() }
        do { return try await waiting.value } catch is CancellationError {
            return RecordRun(start: .start, records: RecordBuffer())
        }
    }

    /// The next records, if they are there; an error when the consumer cannot go on and everything has been taken.
    ///
    /// For a thread that has other things to wait for, too; it takes instead of `next`.
    public func takeNow() throws -> RecordRun? {
        try inbox.takeNow()
    }

    /// Tells the publisher that everything up to here is durable, and will never be asked for again.
    public func acknowledge(upTo sequence: Int64) {
        inbox.acknowledge(sequence)
    }

    public var status: Status { inbox.status }
}
