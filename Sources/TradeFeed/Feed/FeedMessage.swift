import TradeModel

/// A message of the feed, version 1 (`docs/wire.md`).
public enum FeedMessage: Hashable, Sendable {
    case subscribe(Subscribe)
    /// So many batches altogether may be sent in this subscription. Being a total, it may arrive twice or late.
    case credit(FeedSender, total: UInt64)
    /// Everything up to here has been made durable by the consumer, which will never ask for it again.
    case ack(FeedSender, Int64)
    /// The consumer is there, and has taken everything up to here.
    case alive(FeedSender, StreamPosition)
    /// The consumer goes, in good order.
    case leave(FeedSender)

    case batch(Batch)
    case heartbeat(Heartbeat)
    case refused(Refused)

    public struct Subscribe: Hashable, Sendable {
        public var sender: FeedSender
        /// Nil takes whatever stream is published there.
        public var stream: Identifier?
        /// The largest that the consumer has seen; a publisher of an earlier one is not followed.
        public var epoch: UInt64
        /// The first record that is wanted.
        public var first: Int64
        /// The hash that the consumer has before that record, if it has one.
        public var hash: UInt64?
        /// Everything up to here has been made durable by the consumer: what it may ask for again comes after it.
        public var durable: Int64
        /// So many batches may be sent before more credit comes.
        public var credit: UInt32
        /// Whether the log must keep what this consumer has not acknowledged, also while it is away.
        public var keepsPlace: Bool
        /// Whether others are to get nothing that this consumer has not made durable, while it is there.
        public var isReplica: Bool

        public init(
            sender: FeedSender, stream: Identifier? = nil, epoch: UInt64 = 0, first: Int64, hash: UInt64? = nil,
            durable: Int64, credit: UInt32, keepsPlace: Bool = true, isReplica: Bool = false
        ) {
            self.sender = sender
            self.stream = stream
            self.epoch = epoch
            self.first = first
            self.hash = hash
            self.durable = durable
            self.credit = credit
            self.keepsPlace = keepsPlace
            self.isReplica = isReplica
        }
    }

    public struct Batch: Hashable, Sendable {
        public var subscription: FeedSubscription
        public var stream: Identifier
        public var epoch: UInt64
        /// The newest record that is published, so that a consumer knows how far behind it is.
        public var newest: Int64
        public var run: RecordRun

        public init(
            subscription: FeedSubscription, stream: Identifier, epoch: UInt64, newest: Int64, run: RecordRun
        ) {
            self.subscription = subscription
            self.stream = stream
            self.epoch = epoch
            self.newest = newest
            self.run = run
        }
    }

    public struct Heartbeat: Hashable, Sendable {
        public var subscription: FeedSubscription
        public var epoch: UInt64
        public var newest: StreamPosition
        /// The last record that was sent in this subscription, or the one before its first: who has not got it, has
        /// lost something on the way.
        public var sent: Int64

        public init(subscription: FeedSubscription, epoch: UInt64, newest: StreamPosition, sent: Int64) {
            self.subscription = subscription
            self.epoch = epoch
            self.newest = newest
            self.sent = sent
        }
    }

    public struct Refused: Hashable, Sendable {
        public var subscription: FeedSubscription
        public var reason: Reason
        /// The oldest record that is kept.
        public var oldest: Int64
        public var newest: StreamPosition
        public var text: String

        public init(
            subscription: FeedSubscription, reason: Reason, oldest: Int64 = 0, newest: StreamPosition = .start,
            text: String
        ) {
            self.subscription = subscription
            self.reason = reason
            self.oldest = oldest
            self.newest = newest
            self.text = text
        }
    }

    public enum Reason: UInt8, Hashable, Sendable, CaseIterable {
        case notKept = 1
        case ahead = 2
        case hashDiffers = 3
        case otherStream = 4
        /// The publisher does not know the subscription, for instance because it was started anew: ask again.
        case unknownSubscription = 5
        /// A consumer that was started later has the name.
        case replaced = 6
        /// The consumer has seen a later epoch than this publisher's.
        case earlierEpoch = 7
        case tooManyConsumers = 8
        case otherVersion = 9
        /// The publisher cannot read its log.
        case unavailable = 10
    }
}

/// Why some bytes are no message of the feed.
public enum MalformedFeedMessage: Error, Hashable, Sendable, CustomStringConvertible {
    case otherProtocol
    case otherVersion(UInt8)
    case unknownKind(UInt8)
    /// It ends before its last field does, or goes on behind it.
    case wrongLength
    /// It is not what was sent.
    case damaged
    /// A field has a value that it cannot have.
    case unacceptable(String)
    case tooLarge(byteCount: Int)
    case parts(Int)

    public var description: String {
        switch self {
        case .otherProtocol: "this is no message of the feed"
        case .otherVersion(let version): "version \(version) of the feed, expected \(FeedMessage.version)"
        case .unknownKind(let kind): "there is no message of kind \(kind)"
        case .wrongLength: "the message is cut, or too long"
        case .damaged: "the message is not what was sent: its check differs"
        case .unacceptable(let field): "\(field) has a value that it cannot have"
        case .tooLarge(let byteCount): "\(byteCount) bytes are more than a message has"
        case .parts(let count): "a message of \(count) \(count == 1 ? "part" : "parts"), expected one"
        }
    }
}
