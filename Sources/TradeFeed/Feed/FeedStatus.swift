import TradeModel

/// Where a consumer was, for a publisher that starts anew.
public struct FeedPlace: Hashable, Sendable {
    public var consumer: Identifier
    public var acknowledged: Int64

    public init(consumer: Identifier, acknowledged: Int64) {
        self.consumer = consumer
        self.acknowledged = acknowledged
    }
}

/// How far a consumer has got, as the publisher knows it.
public struct FeedConsumerStatus: Hashable, Sendable {
    public var consumer: Identifier
    /// Whether the log is kept for it while it is away.
    public var keepsPlace: Bool
    public var isFollowing: Bool
    /// Up to here it has made everything durable.
    public var acknowledged: Int64
    /// Up to here it has taken everything; nil while it is away.
    public var taken: StreamPosition?
    /// Up to here it was sent everything; nil while it is away.
    public var sent: Int64?
}

/// What a publisher has done since it was started.
public struct FeedCounts: Hashable, Sendable {
    /// Messages from consumers.
    public var received = 0
    /// What was no message, or said what it cannot say.
    public var malformed = 0
    public var refused = 0
    public var batches = 0
    public var records = 0
    public var bytes = 0
    /// How often a connection had no room for a batch.
    public var full = 0
    /// Consumers that were forgotten because nothing was heard of them.
    public var silent = 0
    /// Replicas that stood still, so that others were no longer held back for them.
    public var leftBehind = 0
    /// Places that were given up.
    public var forgotten = 0

    public init() {}
}
