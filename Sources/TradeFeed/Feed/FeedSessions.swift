import TradeModel

/// The publisher's side of the feed without its socket: who follows the stream, and who gets what next.
///
/// Whoever owns it passes on what arrives and what the clock says, and sends what it is given. Live and replay are the
/// same: a consumer always gets the batch behind the last one that it was sent, as soon as there is one and its credit
/// allows. What is kept for a consumer here does not grow with what it has not taken.
public struct FeedSessions: Sendable {
    public typealias Instant = ContinuousClock.Instant

    public struct Settings: Hashable, Sendable {
        /// How often a consumer hears something, if only that nothing is new.
        public var heartbeatMilliseconds = 1_000
        /// A consumer that was silent for so long is forgotten until it asks again. Its place is not.
        public var silenceMilliseconds = 5_000
        public var batchRecordsMax = FeedLimits.batchRecordsMax
        public var batchBytesMax = FeedLimits.batchBytesMax
        public var consumersMax = FeedLimits.consumersMax
        /// A replica that is no further behind is waited for from then on.
        public var inStepRecordsMax: Int64 = 4_096
        /// How long a consumer whose connection is full is left alone.
        public var fullPauseMilliseconds = 20

        public init() {}
    }

    /// Where a connection leads, as the socket names it.
    public typealias Route = [UInt8]

    public struct Outgoing: Hashable, Sendable {
        public var route: Route
        public var message: FeedMessage
    }

    /// What is to be read from the log for a consumer.
    public struct Read: Hashable, Sendable {
        public var consumer: Identifier
        public var subscription: FeedSubscription
        public var first: Int64
        /// Nothing behind it is for this consumer yet.
        public var last: Int64
    }

    struct Session: Sendable {
        var subscription: FeedSubscription
        var route: Route
        /// The next record to send, and the hash that the consumer says it has before it, until that was looked at.
        var next: Int64
        var hash: UInt64?
        var isChecked = false
        /// Batches: how many came with the subscription, may be sent altogether, and were sent.
        let firstCredit: UInt64
        var granted: UInt64
        var sent: UInt64 = 0
        /// The sizes of those that were sent and not yet taken, the oldest first.
        var outstanding: [Int] = []
        var outstandingBytes = 0
        var lastHeard: Instant
        var lastSent: Instant
        var fullUntil: Instant?
        var taken: StreamPosition
        var isReplica = false
        /// Whether others get no more than this replica has; and when it last got on, or had nothing to do.
        var isInStep = false
        var progressAt: Instant
    }

    struct Consumer: Sendable {
        var keepsPlace: Bool
        var acknowledged: Int64
        /// Nil while it is away.
        var session: Session?
    }

    public let stream: Identifier
    public internal(set) var epoch: UInt64
    public let settings: Settings
    var consumers: [Identifier: Consumer] = [:]
    /// In which order those who follow get their turns.
    var turns: [Identifier] = []
    var turn = 0
    public internal(set) var counts = FeedCounts()

    /// The places are those of consumers that followed the stream earlier, before a restart for instance.
    public init(stream: Identifier, epoch: UInt64, places: [FeedPlace] = [], settings: Settings = Settings()) {
        self.stream = stream
        self.epoch = epoch
        self.settings = settings
        for place in places.prefix(settings.consumersMax) {
            consumers[place.consumer] = Consumer(keepsPlace: true, acknowledged: place.acknowledged)
        }
    }

    /// The first record that a consumer who keeps its place may still ask for; nil when there is no such consumer.
    public var keptFrom: Int64? {
        consumers.values.lazy.filter(\.keepsPlace).map { $0.acknowledged + 1 }.min()
    }

    /// Where the consumers are that records are kept for.
    public var places: [FeedPlace] {
        consumers.filter(\.value.keepsPlace).map {
            FeedPlace(consumer: $0.key, acknowledged: $0.value.acknowledged)
        }.sorted { $0.consumer < $1.consumer }
    }

    /// Who has got how far.
    public var status: [FeedConsumerStatus] {
        consumers.map { name, consumer in
            FeedConsumerStatus(
                consumer: name, keepsPlace: consumer.keepsPlace, isFollowing: consumer.session != nil,
                acknowledged: consumer.acknowledged, taken: consumer.session?.taken,
                sent: consumer.session.map { $0.next - 1 })
        }.sorted { $0.consumer < $1.consumer }
    }

    /// Gives up the place of a consumer that will not come back; false when it follows the stream or is not known.
    public mutating func forget(_ consumer: Identifier) -> Bool {
        guard let known = consumers[consumer], known.session == nil else { return false }
        consumers[consumer] = nil
        counts.forgotten += 1
        return true
    }

    /// When the clock has something to say next.
    public var deadline: Instant? {
        turns.lazy.compactMap { consumers[$0]?.session }.map { session in
            let silent = session.lastHeard + .milliseconds(settings.silenceMilliseconds)
            return min(
                session.lastSent + .milliseconds(settings.heartbeatMilliseconds), silent, session.fullUntil ?? silent)
        }.min()
    }
}

extension FeedSessions {
    /// Takes note of what a consumer says, and answers.
    public mutating func receive(_ message: FeedMessage, from route: Route, now: Instant) -> [Outgoing] {
        counts.received += 1
        switch message {
        case .subscribe(let subscribe): return open(subscribe, route, now)
        case .credit(let sender, let total):
            return update(sender, route, now) { $0.grant(total) }
        case .ack(let sender, let sequence):
            defer { acknowledge(sender, sequence, now) }
            return update(sender, route, now) { _ in }
        case .alive(let sender, let position):
            return update(sender, route, now) { session in
                if position.sequence < session.next, position.sequence > session.taken.sequence {
                    session.taken = position
                }
            }
        case .leave(let sender):
            if consumers[sender.consumer]?.session?.subscription == sender.subscription { close(sender.consumer) }
            return []
        case .batch, .heartbeat, .refused:
            return malformed(.unacceptable("the kind of a message to a publisher"), from: route)
        }
    }

    /// Takes note of bytes that are no message. Who speaks another version is told so.
    public mutating func malformed(_ fault: MalformedFeedMessage, from route: Route) -> [Outgoing] {
        counts.malformed += 1
        guard case .otherVersion = fault else { return [] }
        return [refuse(route, FeedSubscription(instance: 0, attempt: 0), .otherVersion, "\(fault)")]
    }

    private mutating func open(_ subscribe: FeedMessage.Subscribe, _ route: Route, _ now: Instant) -> [Outgoing] {
        let name = subscribe.sender.consumer
        let subscription = subscribe.sender.subscription
        if let wanted = subscribe.stream, wanted != stream {
            return [refuse(route, subscription, .otherStream, "the stream here is \(stream), not \(wanted)")]
        }
        guard subscribe.epoch <= epoch else {
            let text = "the epoch here is \(epoch), the consumer has seen \(subscribe.epoch)"
            return [refuse(route, subscription, .earlierEpoch, text)]
        }
        var answers: [Outgoing] = []
        // Who only asks anew is waited for as before.
        let isInStep = subscribe.isReplica && consumers[name]?.session?.isInStep ?? false
        if let current = consumers[name]?.session {
            if subscription.instance < current.subscription.instance { return [replaced(route, subscription, name)] }
            // It came twice, or an earlier one came late.
            guard subscription > current.subscription else { return [] }
            if subscription.instance > current.subscription.instance {
                answers = [replaced(current.route, current.subscription, name)]
            }
            close(name)
        } else if consumers[name] == nil, consumers.count >= settings.consumersMax {
            let text = "there are \(consumers.count) consumers already"
            return [refuse(route, subscription, .tooManyConsumers, text)]
        }
        let place = StreamPosition(sequence: subscribe.first - 1, hash: subscribe.hash ?? 0)
        let credit = UInt64(min(Int(subscribe.credit), FeedLimits.creditBatchesMax))
        consumers[name] = Consumer(
            keepsPlace: subscribe.keepsPlace, acknowledged: subscribe.durable,
            session: Session(
                subscription: subscription, route: route, next: subscribe.first, hash: subscribe.hash,
                firstCredit: credit, granted: credit, lastHeard: now, lastSent: now, taken: place,
                isReplica: subscribe.isReplica, isInStep: isInStep, progressAt: now))
        turns.append(name)
        return answers
    }

    private mutating func update(
        _ sender: FeedSender, _ route: Route, _ now: Instant, _ change: (inout Session) -> Void
    ) -> [Outgoing] {
        let name = sender.consumer
        guard let current = consumers[name]?.session else {
            let text = "\(name) is not known here: ask for the stream again"
            return [refuse(route, sender.subscription, .unknownSubscription, text)]
        }
        guard sender.subscription == current.subscription else {
            if sender.subscription.instance < current.subscription.instance {
                return [replaced(route, sender.subscription, name)]
            }
            // An earlier attempt is over, which the consumer knows. A later one must have been lost on its way.
            guard sender.subscription > current.subscription else { return [] }
            let text = "the subscription is not known here: ask again"
            return [refuse(route, sender.subscription, .unknownSubscription, text)]
        }
        consumers[name]?.session?.lastHeard = now
        consumers[name]?.session?.route = route
        change(&consumers[name]!.session!)
        return []
    }

    private mutating func acknowledge(_ sender: FeedSender, _ sequence: Int64, _ now: Instant) {
        guard let consumer = consumers[sender.consumer], let session = consumer.session,
            session.subscription.instance == sender.subscription.instance,
            sequence > consumer.acknowledged
        else { return }
        // Nobody has made durable what was never sent.
        guard sequence < session.next else {
            counts.malformed += 1
            return
        }
        consumers[sender.consumer]?.acknowledged = sequence
        consumers[sender.consumer]?.session?.progressAt = now
    }

    mutating func close(_ name: Identifier) {
        consumers[name]?.session = nil
        if let consumer = consumers[name], !consumer.keepsPlace { consumers[name] = nil }
        guard let at = turns.firstIndex(of: name) else { return }
        turns.remove(at: at)
        if at < turn { turn -= 1 }
    }

    private mutating func replaced(_ route: Route, _ subscription: FeedSubscription, _ name: Identifier) -> Outgoing {
        refuse(route, subscription, .replaced, "another consumer named \(name) was started later")
    }

    mutating func refuse(
        _ route: Route, _ subscription: FeedSubscription, _ reason: FeedMessage.Reason, _ text: String,
        extent: LogExtent? = nil
    ) -> Outgoing {
        counts.refused += 1
        return Outgoing(
            route: route,
            message: .refused(
                FeedMessage.Refused(
                    subscription: subscription, reason: reason, oldest: extent?.oldest ?? 0,
                    newest: extent?.newest ?? .start, text: text)))
    }
}

extension FeedSessions.Session {
    /// So much may be on its way that a batch can be sent.
    func mayReceive(_ now: FeedSessions.Instant) -> Bool {
        sent < granted && outstandingBytes < FeedLimits.outstandingBytesMax && (fullUntil ?? now) <= now
    }

    mutating func grant(_ total: UInt64) {
        granted = max(granted, min(total, sent + UInt64(FeedLimits.creditBatchesMax)))
        // What was granted beyond the first credit was granted for batches that were taken.
        let taken = min(sent, granted - firstCredit)
        let open = Int(sent - taken)
        while outstanding.count > open { outstandingBytes -= outstanding.removeFirst() }
    }
}
