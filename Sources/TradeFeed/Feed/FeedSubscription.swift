import TradeModel

/// Which asking for a stream a message is about: what belongs to an earlier one has no effect any more.
public struct FeedSubscription: Hashable, Sendable {
    /// Grows with each start of the consumer: of two with one name, the one with the larger number has it.
    public var instance: UInt64
    /// Grows each time that the consumer asks anew.
    public var attempt: UInt32

    public init(instance: UInt64, attempt: UInt32) {
        self.instance = instance
        self.attempt = attempt
    }
}

extension FeedSubscription: Comparable {
    public static func < (left: FeedSubscription, right: FeedSubscription) -> Bool {
        (left.instance, left.attempt) < (right.instance, right.attempt)
    }
}

/// Who speaks, in every message of a consumer.
public struct FeedSender: Hashable, Sendable {
    public var consumer: Identifier
    public var subscription: FeedSubscription

    public init(consumer: Identifier, subscription: FeedSubscription) {
        self.consumer = consumer
        self.subscription = subscription
    }
}
