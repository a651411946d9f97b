import Testing
import TradeFeed
import TradeModel

/// The consumer without its socket. The clock is moved by hand.
@Suite("Feed cursor")
struct FeedCursorTests {
    private var now = ContinuousClock.now
    private var cursor: FeedCursor

    init() {
        cursor = Self.cursor(after: 10, hash: position(after: 10).hash, now: now)
    }

    private static func cursor(after sequence: Int64, hash: UInt64?, now: ContinuousClock.Instant) -> FeedCursor {
        var settings = FeedCursor.Settings()
        settings.creditBatches = 4
        return FeedCursor(
            FeedCursor.Start(consumer: Identifier("a")!, instance: 1, after: sequence, hash: hash),
            settings: settings, now: now)
    }

    private let sender = FeedSender(
        consumer: Identifier("a")!, subscription: FeedSubscription(instance: 1, attempt: 1))

    private func run(_ range: ClosedRange<Int64>) -> RecordRun {
        RecordRun(start: position(after: range.lowerBound - 1), records: records(range))
    }

    private func batch(_ run: RecordRun, attempt: UInt32 = 1, epoch: UInt64 = 0) -> FeedMessage {
        .batch(
            FeedMessage.Batch(
                subscription: FeedSubscription(instance: 1, attempt: attempt), stream: Identifier("main")!,
                epoch: epoch, newest: 100, run: run))
    }

    private func refused(_ reason: FeedMessage.Reason, attempt: UInt32 = 1) -> FeedMessage {
        .refused(
            FeedMessage.Refused(
                subscription: FeedSubscription(instance: 1, attempt: attempt), reason: reason, oldest: 50,
                newest: StreamPosition(sequence: 10, hash: 9), text: "words"))
    }

    /// The first subscription, or the one asked for next.
    private func subscribe(_ actions: [FeedCursor.Action]) -> FeedMessage.Subscribe? {
        for case .send(.subscribe(let subscribe)) in actions { return subscribe }
        return nil
    }

    @Test mutating func `it asks from its place, with its hash and its credit`() {
        let asked = subscribe(cursor.tick(now: now))
        #expect(asked?.first == 11 && asked?.hash == position(after: 10).hash && asked?.durable == 10)
        #expect(asked?.credit == 4 && asked?.sender.subscription.attempt == 1)
        #expect(!cursor.isFollowing)
        #expect(cursor.tick(now: now) == [])
    }

    @Test mutating func `records pass in order and once`() {
        _ = cursor.tick(now: now)
        #expect(cursor.receive(batch(run(11...20)), now: now) == [.deliver(run(11...20))])
        #expect(cursor.receive(batch(run(21...22)), now: now) == [.deliver(run(21...22))])
        #expect(cursor.receive(batch(run(11...20)), now: now) == [])
        #expect(cursor.receive(batch(run(21...22)), now: now) == [])
        #expect(cursor.counts.duplicates == 2 && cursor.isFollowing && cursor.newest == 100)
    }

    @Test mutating func `credit is given only for what was taken`() {
        _ = cursor.tick(now: now)
        for first in [11, 13, 15, 17] as [Int64] { _ = cursor.receive(batch(run(first...first + 1)), now: now) }
        #expect(cursor.took(run(11...12), now: now) == [])
        #expect(cursor.took(run(13...14), now: now) == [.send(.credit(sender, total: 6))])
        // What waits is not asked for again.
        let asked = subscribe(cursor.receive(batch(run(25...26)), now: now))
        #expect(asked?.credit == 2 && asked?.first == 19)
    }

    @Test mutating func `who sends more than was asked for fills no memory`() {
        _ = cursor.tick(now: now)
        for first in 11...14 as ClosedRange<Int64> {
            #expect(cursor.receive(batch(run(first...first)), now: now) == [.deliver(run(first...first))])
        }
        #expect(subscribe(cursor.receive(batch(run(15...15)), now: now))?.credit == 0)
    }

    @Test mutating func `a hole is asked for again, at once and then ever more slowly`() {
        _ = cursor.tick(now: now)
        _ = cursor.receive(batch(run(11...20)), now: now)
        #expect(subscribe(cursor.receive(batch(run(31...40)), now: now))?.first == 21)
        // What was still on its way has no effect.
        #expect(cursor.receive(batch(run(41...50)), now: now) == [])
        #expect(cursor.counts.late == 1)
        #expect(cursor.receive(batch(run(31...40), attempt: 2), now: now) == [])
        #expect(cursor.deadline == now + .milliseconds(20))
        now += .milliseconds(20)
        #expect(subscribe(cursor.tick(now: now))?.sender.subscription.attempt == 3)
        #expect(cursor.receive(batch(run(31...40), attempt: 3), now: now) == [])
        #expect(cursor.deadline == now + .milliseconds(40))
        now += .milliseconds(40)
        _ = cursor.tick(now: now)
        #expect(cursor.receive(batch(run(21...40), attempt: 4), now: now) == [.deliver(run(21...40))])
        #expect(cursor.counts.gaps == 3)
    }

    @Test mutating func `a heartbeat tells that something was lost`() {
        _ = cursor.tick(now: now)
        func heartbeat(sent: Int64, _ newest: StreamPosition) -> FeedMessage {
            .heartbeat(
                FeedMessage.Heartbeat(
                    subscription: FeedSubscription(instance: 1, attempt: 1), epoch: 0, newest: newest, sent: sent))
        }
        #expect(cursor.receive(heartbeat(sent: 10, position(after: 90)), now: now) == [])
        #expect(cursor.isFollowing && cursor.newest == 90)
        #expect(subscribe(cursor.receive(heartbeat(sent: 12, position(after: 90)), now: now))?.first == 11)
    }

    @Test mutating func `an answer that does not come is asked for again, and silence ends the connection`() {
        _ = cursor.tick(now: now)
        now += .seconds(1)
        #expect(subscribe(cursor.tick(now: now))?.sender.subscription.attempt == 2)
        var actions: [FeedCursor.Action] = []
        let begin = now
        while !actions.contains(.reconnect), now < begin + .seconds(10) {
            now = cursor.deadline!
            actions = cursor.tick(now: now)
        }
        #expect(now == begin + .seconds(4))
    }

    @Test mutating func `signs of life carry the totals`() {
        _ = cursor.tick(now: now)
        _ = cursor.receive(batch(run(11...20)), now: now)
        _ = cursor.took(run(11...20), now: now)
        #expect(cursor.acknowledge(15, now: now) == [.send(.ack(sender, 15))])
        #expect(cursor.acknowledge(15, now: now) == [] && cursor.acknowledge(21, now: now) == [])
        now += .seconds(1)
        #expect(
            cursor.tick(now: now) == [
                .send(.alive(sender, position(after: 20))), .send(.credit(sender, total: 5)),
                .send(.ack(sender, 15)),
            ])
    }

    @Test mutating func `a damaged batch never passes, and is asked for again`() {
        _ = cursor.tick(now: now)
        var damaged = run(11...20)
        damaged.records = RecordBuffer([record(99)] + damaged.records.arrays.dropFirst())
        #expect(subscribe(cursor.receive(batch(damaged), now: now))?.first == 11)
        #expect(cursor.receive(batch(run(11...20), attempt: 2), now: now) == [.deliver(run(11...20))])
        #expect(cursor.counts.damaged == 1)
    }

    @Test mutating func `a stream whose hash differs ends it, with the place named`() {
        _ = cursor.tick(now: now)
        #expect(
            cursor.receive(refused(.hashDiffers), now: now)
                == [.stop(.hashDiffers(sequence: 10, here: position(after: 10).hash, there: 9))])
        #expect(cursor.tick(now: now + .seconds(100)) == [] && cursor.deadline == nil)
    }

    @Test mutating func `a publisher that insists on another hash is not believed for ever`() throws {
        var other = run(11...12)
        other.start.hash = 5
        other = RecordRun(start: other.start, records: other.records)
        var failure: FeedFailure?
        var asked = subscribe(cursor.tick(now: now))
        while failure == nil {
            let attempt = try #require(asked).sender.subscription.attempt
            let actions = cursor.receive(batch(other, attempt: attempt), now: now)
            for case .stop(let reason) in actions { failure = reason }
            asked = subscribe(actions)
            if asked == nil, failure == nil {
                now = try #require(cursor.deadline)
                asked = subscribe(cursor.tick(now: now))
            }
        }
        #expect(failure == .hashDiffers(sequence: 10, here: position(after: 10).hash, there: 5))
    }

    @Test(
        arguments: [
            (.notKept, .notKept(first: 11, oldest: 50)), (.ahead, .ahead(first: 11, newest: 10)),
            (.otherStream, .otherStream("words")), (.replaced, .replaced("words")),
            (.otherVersion, .otherVersion("words")),
        ] as [(FeedMessage.Reason, FeedFailure)])
    func `what waiting does not mend ends it`(reason: FeedMessage.Reason, failure: FeedFailure) {
        var cursor = cursor
        _ = cursor.tick(now: now)
        #expect(cursor.receive(refused(reason, attempt: reason == .otherVersion ? 0 : 1), now: now) == [.stop(failure)])
    }

    @Test(arguments: [.unknownSubscription, .earlierEpoch, .tooManyConsumers, .unavailable] as [FeedMessage.Reason])
    func `what may pass is tried again`(reason: FeedMessage.Reason) {
        var cursor = cursor
        _ = cursor.tick(now: now)
        #expect(subscribe(cursor.receive(refused(reason), now: now))?.sender.subscription.attempt == 2)
        // A refusal of an earlier attempt is nothing.
        #expect(cursor.receive(refused(.notKept), now: now) == [])
    }

    @Test mutating func `a publisher of an earlier epoch is not listened to`() {
        _ = cursor.tick(now: now)
        _ = cursor.receive(batch(run(11...12), epoch: 4), now: now)
        #expect(cursor.epoch == 4)
        #expect(cursor.receive(batch(run(13...14), epoch: 3), now: now) == [])
        #expect(cursor.counts.late == 1)
        #expect(subscribe(cursor.receive(batch(run(19...20), epoch: 4), now: now))?.epoch == 4)
    }

    @Test func `without a hash, the feed's is taken, and held to from there`() {
        var cursor = Self.cursor(after: 10, hash: nil, now: now)
        #expect(subscribe(cursor.tick(now: now))?.hash == nil)
        #expect(cursor.receive(batch(run(11...12)), now: now) == [.deliver(run(11...12))])
        var other = run(13...14)
        other.start.hash = 5
        #expect(
            subscribe(
                cursor.receive(batch(RecordRun(start: other.start, records: other.records)), now: now))?.hash
                == position(after: 12).hash)
    }

    @Test mutating func `another stream ends it`() {
        _ = cursor.tick(now: now)
        _ = cursor.receive(batch(run(11...12)), now: now)
        guard case .batch(var other) = batch(run(13...14)) else { return }
        other.stream = Identifier("other")!
        #expect(
            cursor.receive(.batch(other), now: now) == [.stop(.otherStream("the stream there is other, not main"))])
    }

    @Test mutating func `it says good-bye if it has been heard of`() {
        var silent = cursor
        #expect(silent.stop() == [])
        _ = cursor.tick(now: now)
        #expect(cursor.stop() == [.send(.leave(sender))])
        #expect(cursor.receive(batch(run(11...12)), now: now) == [])
    }
}
