import Testing
import TradeFeed
import TradeModel

/// Who is held back for a replica, and for how long. The clock is moved by hand.
@Suite("Feed replicas")
struct FeedReplicaTests {
    private let log = MemoryLog(recordsMax: 100_000, bytesMax: 10_000_000)
    private var sessions: FeedSessions
    private var now = ContinuousClock.now
    private static let others = FeedFixture.sender("settlement")
    private static let replica = FeedFixture.sender("replica")

    init() throws {
        var settings = FeedSessions.Settings()
        settings.batchRecordsMax = 10
        settings.inStepRecordsMax = 20
        sessions = FeedSessions(stream: FeedFixture.stream, epoch: 1, settings: settings)
        try log.append(records(1...100))
    }

    private mutating func subscribe(_ sender: FeedSender, from first: Int64, isReplica: Bool = false) {
        let subscribe = FeedMessage.Subscribe(
            sender: sender, first: first, durable: first - 1, credit: 60, isReplica: isReplica)
        #expect(sessions.receive(.subscribe(subscribe), from: Array(sender.consumer.text.utf8), now: now) == [])
    }

    private mutating func acknowledge(_ sender: FeedSender, _ sequence: Int64) {
        #expect(sessions.receive(.ack(sender, sequence), from: Array(sender.consumer.text.utf8), now: now) == [])
    }

    /// Sends what can be sent, and tells up to where a consumer got everything.
    private mutating func serve(_ sender: FeedSender) throws -> Int64? {
        _ = sessions.tick(extent: log.extent, now: now)
        while let read = sessions.nextRead(newest: log.extent.newest.sequence, now: now) {
            let room = max(0, read.last - read.first + 1)
            var run = try log.read(from: read.first, recordsMax: Int(max(1, min(10, room))), bytesMax: 10_000)
            if room == 0 { run = RecordRun(start: run.start, records: RecordBuffer()) }
            guard let answer = sessions.answer(read, .success(run), extent: log.extent, now: now) else { continue }
            if case .batch(let batch) = answer.message { sessions.sent(read, batch.run, now: now) }
        }
        return sessions.status.first { $0.consumer == sender.consumer }?.sent
    }

    @Test mutating func `others get nothing that a replica which keeps up has not made durable`() throws {
        subscribe(Self.replica, from: 90, isReplica: true)
        #expect(try serve(Self.replica) == 100)
        acknowledge(Self.replica, 95)
        subscribe(Self.others, from: 81)
        #expect(try serve(Self.others) == 95)
        acknowledge(Self.replica, 100)
        #expect(try serve(Self.others) == 100)
        try log.append(records(101...105))
        #expect(try serve(Self.others) == 100)
        #expect(try serve(Self.replica) == 105)
        acknowledge(Self.replica, 105)
        #expect(try serve(Self.others) == 105)
        // Who asks from beyond is answered, and waits.
        try log.append(records(106...110))
        subscribe(FeedFixture.sender("other"), from: 108)
        #expect(try serve(FeedFixture.sender("other")) == 107)
    }

    @Test mutating func `nobody waits for a replica that is far behind, has gone or stands still`() throws {
        subscribe(Self.replica, from: 1, isReplica: true)
        subscribe(Self.others, from: 1)
        #expect(try serve(Self.others) == 100)
        acknowledge(Self.replica, 100)
        try log.append(records(101...110))
        #expect(try serve(Self.others) == 100)

        // It is there, and makes nothing durable.
        for _ in 1...5 {
            now += .seconds(1)
            for sender in [Self.replica, Self.others] {
                _ = sessions.receive(
                    .alive(sender, position(after: 100)), from: Array(sender.consumer.text.utf8), now: now)
            }
        }
        #expect(try serve(Self.others) == 110)
        for _ in 1...4 { #expect(try serve(Self.others) == 110) }
        #expect(sessions.counts.leftBehind == 1)

        // Once it has caught up, it counts again, until it goes.
        acknowledge(Self.replica, 110)
        #expect(try serve(Self.replica) == 110)
        try log.append(records(111...120))
        #expect(try serve(Self.others) == 110)
        _ = sessions.receive(.leave(Self.replica), from: Array("replica".utf8), now: now)
        #expect(try serve(Self.others) == 120)
    }
}
