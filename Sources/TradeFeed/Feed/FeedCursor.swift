import ServiceKit
import TradeModel

/// The consumer's side of the feed without its socket: from where it asks, and what it believes.
///
/// It lets each record through once and in order, and only with the right hash. Whatever is lost, doubled, late or
/// damaged on the way makes it ask again from where it is. It never has more batches waiting than it gave credit for.
public struct FeedCursor: Sendable {
    public typealias Instant = ContinuousClock.Instant

    public struct Settings: Hashable, Sendable {
        /// Batches that may come before they are taken.
        public var creditBatches = 8
        /// How often the publisher hears that the consumer is there.
        public var heartbeatMilliseconds = 1_000
        /// How long an answer may take.
        public var answerMilliseconds = 1_000
        /// After so long without a word, the connection is made anew.
        public var silenceMilliseconds = 5_000
        /// The pause before asking again when the last time led to nothing; twice as long each time.
        public var backoffMilliseconds = 20
        public var backoffMillisecondsMax = 2_000
        /// How often in a row something damaged is asked for again.
        public var damagedMax = 10

        public init() {}
    }

    /// From where somebody follows which stream.
    public struct Start: Hashable, Sendable {
        public var consumer: Identifier
        /// Nil takes whatever stream is published there.
        public var stream: Identifier?
        /// Of two consumers with one name, the one with the larger number has it: the epoch of a lease, or the time of
        /// the start.
        public var instance: UInt64
        /// Behind it the consumer begins. A hash that is nil is taken from the feed as it is.
        public var sequence: Int64
        public var hash: UInt64?
        /// The largest epoch of the publisher that the consumer has seen.
        public var epoch: UInt64
        /// Whether the publisher keeps records for it while it is away.
        public var keepsPlace: Bool
        /// Whether it stands by to publish the stream itself: others then get nothing that it lacks.
        public var isReplica: Bool

        public init(
            consumer: Identifier, stream: Identifier? = nil, instance: UInt64, after sequence: Int64,
            hash: UInt64?, epoch: UInt64 = 0, keepsPlace: Bool = true, isReplica: Bool = false
        ) {
            self.consumer = consumer
            self.stream = stream
            self.instance = instance
            self.sequence = sequence
            self.hash = hash
            self.epoch = epoch
            self.keepsPlace = keepsPlace
            self.isReplica = isReplica
        }

        /// Somebody who looks on: nothing is kept for them. Of several of one name the last has it.
        public static func onlooker(
            _ name: String, of stream: Identifier? = nil, after sequence: Int64, hash: UInt64?
        ) -> Start {
            Start(
                consumer: Identifier(stored: name), stream: stream, instance: UInt64(Timestamp.now.microseconds),
                after: sequence, hash: hash, keepsPlace: false)
        }
    }

    public enum Action: Hashable, Sendable {
        case send(FeedMessage)
        case deliver(RecordRun)
        /// Begin a new connection: nothing came over this one.
        case reconnect
        case stop(FeedFailure)
    }

    /// What did not go smoothly.
    public struct Counts: Hashable, Sendable {
        public var asked = 0
        public var gaps = 0
        public var duplicates = 0
        public var damaged = 0
        /// What belonged to an earlier subscription.
        public var late = 0
        public var malformed = 0

        public init() {}
    }

    enum Phase: Hashable, Sendable {
        case pausing(until: Instant)
        case asked(Instant)
        case following
        case stopped
    }

    public let start: Start
    public let settings: Settings
    /// Everything up to here has arrived.
    public private(set) var received: StreamPosition
    var isHashKnown: Bool
    /// Everything up to here has been taken, and made durable.
    public private(set) var taken: StreamPosition
    public private(set) var durable: Int64
    /// The newest record that the publisher has told of.
    public internal(set) var newest: Int64
    public internal(set) var epoch: UInt64
    public internal(set) var stream: Identifier?
    public internal(set) var counts = Counts()

    var phase: Phase
    private var attempt: UInt32 = 0
    /// Batches that were let through and not yet taken.
    private var waiting = 0
    private var granted: UInt64 = 0
    private var announced: UInt64 = 0
    var lastHeard: Instant
    /// When the publisher last said anything, if it ever did.
    public internal(set) var heardAt: Instant?
    /// Why the publisher does not answer for now, in its own words.
    public internal(set) var refusal: String?
    private var lastSent: Instant
    /// Attempts in a row that led to nothing, and batches in a row that were damaged.
    private var fruitless = 0
    private var damagedInARow = 0

    public init(_ start: Start, settings: Settings = Settings(), now: Instant) {
        precondition((1...FeedLimits.creditBatchesMax).contains(settings.creditBatches), "no such credit")
        self.start = start
        self.settings = settings
        received = StreamPosition(sequence: start.sequence, hash: start.hash ?? 0)
        isHashKnown = start.hash != nil
        taken = received
        durable = start.sequence
        newest = start.sequence
        epoch = start.epoch
        stream = start.stream
        phase = .pausing(until: now)
        lastHeard = now
        lastSent = now
    }

    public var isFollowing: Bool { phase == .following }
    var subscription: FeedSubscription { FeedSubscription(instance: start.instance, attempt: attempt) }
    var sender: FeedSender { FeedSender(consumer: start.consumer, subscription: subscription) }

    /// A batch that was let through has been taken; there is room for another.
    public mutating func took(_ run: RecordRun, now: Instant) -> [Action] {
        waiting -= 1
        taken = run.end
        granted += 1
        guard isFollowing, granted - announced >= max(1, UInt64(settings.creditBatches) / 2) else { return [] }
        announced = granted
        lastSent = now
        return [.send(.credit(sender, total: granted))]
    }

    /// What was taken up to here is durable.
    public mutating func acknowledge(_ sequence: Int64, now: Instant) -> [Action] {
        guard sequence > durable, sequence <= taken.sequence else { return [] }
        durable = sequence
        return isFollowing ? [.send(.ack(sender, durable))] : []
    }

    /// What the clock brings: asking again, and signs of life.
    public mutating func tick(now: Instant) -> [Action] {
        switch phase {
        case .stopped: return []
        case .pausing(let until): return until <= now ? ask(now) : []
        case .asked(let since):
            if now - lastHeard >= .milliseconds(settings.silenceMilliseconds) { return reconnect(now) }
            return now - since >= .milliseconds(settings.answerMilliseconds) ? askAgain(now) : []
        case .following:
            if now - lastHeard >= .milliseconds(settings.silenceMilliseconds) { return reconnect(now) }
            guard now - lastSent >= .milliseconds(settings.heartbeatMilliseconds) else { return [] }
            lastSent = now
            announced = granted
            // All of them are totals: what was lost on the way is made good.
            return [
                .send(.alive(sender, taken)), .send(.credit(sender, total: granted)), .send(.ack(sender, durable)),
            ]
        }
    }

    /// When the clock has something to say next.
    public var deadline: Instant? {
        let silent = lastHeard + .milliseconds(settings.silenceMilliseconds)
        return switch phase {
        case .stopped: nil
        case .pausing(let until): until
        case .asked(let since): min(silent, since + .milliseconds(settings.answerMilliseconds))
        case .following: min(silent, lastSent + .milliseconds(settings.heartbeatMilliseconds))
        }
    }

    /// The last word to the publisher.
    public mutating func stop() -> [Action] {
        guard phase != .stopped else { return [] }
        phase = .stopped
        return attempt > 0 ? [.send(.leave(sender))] : []
    }

    private mutating func ask(_ now: Instant) -> [Action] {
        counts.asked += 1
        attempt += 1
        phase = .asked(now)
        lastSent = now
        granted = UInt64(max(0, settings.creditBatches - waiting))
        announced = granted
        return [
            .send(
                .subscribe(
                    FeedMessage.Subscribe(
                        sender: sender, stream: stream, epoch: epoch, first: received.sequence + 1,
                        hash: isHashKnown ? received.hash : nil, durable: durable, credit: UInt32(granted),
                        keepsPlace: start.keepsPlace, isReplica: start.isReplica)))
        ]
    }

    /// At once if the last time led to something, otherwise after a pause.
    mutating func askAgain(_ now: Instant) -> [Action] {
        defer { fruitless += 1 }
        guard fruitless > 0 else { return ask(now) }
        let pause = settings.backoffMilliseconds << min(fruitless - 1, 20)
        phase = .pausing(until: now + .milliseconds(min(pause, settings.backoffMillisecondsMax)))
        return []
    }

    private mutating func reconnect(_ now: Instant) -> [Action] {
        lastHeard = now
        return [.reconnect] + askAgain(now)
    }

    /// The subscription stands, and brings what it should.
    mutating func isWell(_ now: Instant) {
        phase = .following
        refusal = nil
        fruitless = 0
    }

    /// Lets the next records through.
    mutating func accept(_ run: RecordRun, now: Instant) -> [Action] {
        // Who sends more than was asked for must not fill the memory.
        guard waiting < settings.creditBatches else {
            counts.gaps += 1
            return askAgain(now)
        }
        received = run.end
        isHashKnown = true
        waiting += 1
        damagedInARow = 0
        isWell(now)
        return [.deliver(run)]
    }

    /// Something does not fit: it is asked for again, and the publisher is asked about the hash, too.
    mutating func damaged(_ run: RecordRun, now: Instant) -> [Action] {
        counts.damaged += 1
        damagedInARow += 1
        guard damagedInARow <= settings.damagedMax else {
            let continues = run.isConsistent && run.start.sequence == received.sequence
            return fail(
                continues
                    ? .hashDiffers(sequence: received.sequence, here: received.hash, there: run.start.hash)
                    : .damaged(first: run.first, last: run.end.sequence))
        }
        return askAgain(now)
    }

    mutating func fail(_ failure: FeedFailure) -> [Action] {
        phase = .stopped
        return [.stop(failure)]
    }
}
