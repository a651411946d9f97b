import Testing
import TradeFeed
import TradeModel

/// The publisher without its socket. The clock is moved by hand.
@Suite("Feed sessions")
struct FeedSessionsTests {
    private static let begin = ContinuousClock.now
    private let log: MemoryLog
    private var sessions: FeedSessions
    private var now = Self.begin
    private let route: [UInt8] = [1]

    init() throws {
        log = MemoryLog(recordsMax: 1_000, bytesMax: 1_000_000)
        var settings = FeedSessions.Settings()
        settings.batchRecordsMax = 10
        sessions = FeedSessions(stream: Identifier("main")!, epoch: 3, settings: settings)
        try log.append(records(1...100))
    }

    private func sender(_ name: String = "a", instance: UInt64 = 1, attempt: UInt32 = 1) -> FeedSender {
        FeedSender(
            consumer: Identifier(name)!, subscription: FeedSubscription(instance: instance, attempt: attempt))
    }

    private mutating func subscribe(
        _ sender: FeedSender, from first: Int64 = 1, hash: UInt64? = nil, credit: UInt32 = 2, epoch: UInt64 = 0,
        stream: String? = nil, keepsPlace: Bool = true, durable: Int64? = nil, route: [UInt8]? = nil
    ) -> [FeedMessage] {
        let subscribe = FeedMessage.Subscribe(
            sender: sender, stream: stream.map { Identifier($0)! }, epoch: epoch, first: first, hash: hash,
            durable: durable ?? first - 1, credit: credit, keepsPlace: keepsPlace)
        return sessions.receive(.subscribe(subscribe), from: route ?? self.route, now: now).map(\.message)
    }

    /// What goes out until nobody can get anything more.
    private mutating func serve() throws -> [FeedSessions.Outgoing] {
        var outgoing: [FeedSessions.Outgoing] = []
        while let read = sessions.nextRead(newest: log.extent.newest.sequence, now: now) {
            let result = Result { () throws(LogFailure) in
                try log.read(from: read.first, recordsMax: 10, bytesMax: 10_000)
            }
            guard let answer = sessions.answer(read, result, extent: log.extent, now: now) else { continue }
            if case .batch(let batch) = answer.message { sessions.sent(read, batch.run, now: now) }
            outgoing.append(answer)
        }
        return outgoing
    }

    private func ranges(_ outgoing: [FeedSessions.Outgoing]) -> [ClosedRange<Int64>] {
        outgoing.compactMap { one in
            guard case .batch(let batch) = one.message, batch.run.isConsistent else { return nil }
            return batch.run.first...batch.run.end.sequence
        }
    }

    private func reasons(_ messages: [FeedMessage]) -> [FeedMessage.Reason] {
        messages.compactMap { if case .refused(let refused) = $0 { refused.reason } else { nil } }
    }

    @Test mutating func `a consumer gets what it asks for, as far as its credit goes`() throws {
        #expect(subscribe(sender(), from: 21, hash: position(after: 20).hash) == [])
        #expect(ranges(try serve()) == [21...30, 31...40])
        #expect(sessions.receive(.credit(sender(), total: 3), from: route, now: now) == [])
        #expect(ranges(try serve()) == [41...50])
        // A credit that comes again, or late, gives nothing more.
        for total in [3, 2, 0] as [UInt64] {
            #expect(sessions.receive(.credit(sender(), total: total), from: route, now: now) == [])
        }
        #expect(try serve() == [])
    }

    @Test mutating func `replay goes over into live without a seam`() throws {
        _ = subscribe(sender(), from: 91, credit: 60)
        #expect(ranges(try serve()) == [91...100])
        #expect(try serve() == [])
        try log.append(records(101...103))
        #expect(ranges(try serve()) == [101...103])
    }

    @Test mutating func `who asks at the end is told at once that it stands`() throws {
        _ = subscribe(sender(), from: 101, hash: position(after: 100).hash)
        let heartbeat = FeedMessage.Heartbeat(
            subscription: sender().subscription, epoch: 3, newest: position(after: 100), sent: 100)
        #expect(try serve().map(\.message) == [.heartbeat(heartbeat)])
    }

    @Test mutating func `all get their turns, however much one wants`() throws {
        for name in ["a", "b", "c"] { _ = subscribe(sender(name), credit: 3, route: Array(name.utf8)) }
        let order = try serve().map { String(decoding: $0.route, as: UTF8.self) }
        #expect(order == ["a", "b", "c", "a", "b", "c", "a", "b", "c"])
    }

    @Test mutating func `nobody gets more than the most there may be on the way`() throws {
        try log.append(records(101...1_000))
        _ = subscribe(sender(), credit: .max)
        #expect(try serve().count == FeedLimits.creditBatchesMax)
        _ = sessions.receive(.credit(sender(), total: .max), from: route, now: now)
        #expect(try serve().count == 36)
        try log.append(records(1_001...2_000))
        #expect(try serve().count == FeedLimits.creditBatchesMax - 36)
    }

    @Test mutating func `large batches wait for those on the way, whatever the credit`() throws {
        let large = MemoryLog(recordsMax: 100, bytesMax: 100_000_000)
        for _ in 0..<10 { try large.append(RecordBuffer([[UInt8](repeating: 1, count: 1_500_000)])) }
        _ = subscribe(sender(), credit: 10)
        var sent = 0
        while let read = sessions.nextRead(newest: 10, now: now) {
            let run = try large.read(from: read.first, recordsMax: 1, bytesMax: 1)
            _ = sessions.answer(read, .success(run), extent: large.extent, now: now)
            sessions.sent(read, run, now: now)
            sent += 1
        }
        #expect(sent == 3)
        _ = sessions.receive(.credit(sender(), total: 11), from: route, now: now)
        #expect(sessions.nextRead(newest: 10, now: now) != nil)
    }

    @Test mutating func `what cannot be had is refused with the reason`() throws {
        let short = MemoryLog(recordsMax: 10, bytesMax: 1_000_000)
        try short.append(records(1...100))
        func reason(_ sessions: inout FeedSessions, _ log: MemoryLog) -> FeedMessage.Refused? {
            guard let read = sessions.nextRead(newest: 100, now: now) else { return nil }
            let result = Result { () throws(LogFailure) in
                try log.read(from: read.first, recordsMax: 10, bytesMax: 10_000)
            }
            guard case .refused(let refused) = sessions.answer(read, result, extent: log.extent, now: now)?.message
            else { return nil }
            return refused
        }
        _ = subscribe(sender(), from: 90)
        var refused = reason(&sessions, short)
        #expect(refused?.reason == .notKept && refused?.oldest == 91)
        #expect(refused?.text == "record 90 is no longer kept; the oldest that is, is 91")
        _ = subscribe(sender(attempt: 2), from: 102)
        refused = reason(&sessions, short)
        #expect(refused?.reason == .ahead && refused?.newest.sequence == 100)
        _ = subscribe(sender(attempt: 3), from: 96, hash: 4711)
        refused = reason(&sessions, short)
        #expect(refused?.reason == .hashDiffers && refused?.newest == position(after: 95))
        #expect(reasons(subscribe(sender(attempt: 4), stream: "other")) == [.otherStream])
        #expect(reasons(subscribe(sender(attempt: 4), epoch: 4)) == [.earlierEpoch])
        // None of them is followed.
        #expect(sessions.status.allSatisfy { !$0.isFollowing })
        #expect(sessions.nextRead(newest: 100, now: now) == nil)
    }

    @Test mutating func `of two with one name the one that was started later has it`() throws {
        _ = subscribe(sender(instance: 5), route: [5])
        #expect(reasons(subscribe(sender(instance: 4), route: [4])) == [.replaced])
        let answers = sessions.receive(
            .subscribe(FeedMessage.Subscribe(sender: sender(instance: 6), first: 1, durable: 0, credit: 1)),
            from: [6], now: now)
        #expect(answers.map(\.route) == [[5]] && reasons(answers.map(\.message)) == [.replaced])
        #expect(try serve().map(\.route) == [[6]])
        let late = sessions.receive(.alive(sender(instance: 5), .start), from: [5], now: now)
        #expect(late.map(\.route) == [[5]] && reasons(late.map(\.message)) == [.replaced])
    }

    @Test mutating func `an earlier attempt that comes late changes nothing`() throws {
        _ = subscribe(sender(attempt: 2), from: 50)
        #expect(subscribe(sender(attempt: 1), from: 1) == [])
        #expect(subscribe(sender(attempt: 2), from: 1) == [])
        #expect(sessions.receive(.credit(sender(attempt: 1), total: 60), from: [9], now: now) == [])
        #expect(ranges(try serve()) == [50...59, 60...69])
    }

    @Test mutating func `who is not known is told to ask again`() throws {
        let answers = sessions.receive(.alive(sender(), .start), from: route, now: now)
        #expect(reasons(answers.map(\.message)) == [.unknownSubscription])
        _ = subscribe(sender(attempt: 1))
        let later = sessions.receive(.credit(sender(attempt: 2), total: 1), from: route, now: now)
        #expect(reasons(later.map(\.message)) == [.unknownSubscription])
    }

    @Test mutating func `a consumer that is silent is forgotten, its place is not`() throws {
        _ = subscribe(sender(), from: 11, durable: 7)
        _ = try serve()
        now += .milliseconds(999)
        #expect(sessions.tick(extent: log.extent, now: now) == [])
        now += .milliseconds(1)
        #expect(sessions.deadline == now)
        #expect(sessions.tick(extent: log.extent, now: now).count == 1)
        now += .milliseconds(4_000)
        #expect(sessions.tick(extent: log.extent, now: now) == [])
        #expect(sessions.status.map(\.isFollowing) == [false])
        #expect(sessions.deadline == nil)
        #expect(sessions.keptFrom == 8)
        #expect(sessions.forget(Identifier("a")!) == true)
        #expect(sessions.keptFrom == nil)
    }

    @Test mutating func `records are kept from the first that a consumer has not made durable`() throws {
        #expect(sessions.keptFrom == nil)
        _ = subscribe(sender("a"), from: 50, durable: 40)
        _ = subscribe(sender("b"), from: 20)
        _ = subscribe(sender("tail"), from: 1, keepsPlace: false)
        _ = try serve()
        #expect(sessions.keptFrom == 20)
        _ = sessions.receive(.ack(sender("b"), 30), from: route, now: now)
        #expect(sessions.keptFrom == 31)
        // Not backward, and not beyond what was sent.
        for sequence in [25, 41, 1_000] as [Int64] {
            _ = sessions.receive(.ack(sender("b"), sequence), from: route, now: now)
        }
        #expect(sessions.keptFrom == 31)
        // What has arrived but is not durable may be needed again.
        _ = subscribe(sender("b", attempt: 2), from: 40, durable: 30)
        #expect(sessions.keptFrom == 31)
        #expect(sessions.forget(Identifier("b")!) == false)
        // One that looks in leaves no place behind.
        _ = sessions.receive(.leave(sender("tail")), from: route, now: now)
        #expect(sessions.status.map(\.consumer.text) == ["a", "b"])
    }

    @Test func `places outlive the publisher`() {
        let place = FeedPlace(consumer: Identifier("a")!, acknowledged: 41)
        let next = FeedSessions(stream: Identifier("main")!, epoch: 4, places: [place])
        #expect(next.keptFrom == 42)
    }

    @Test mutating func `a full connection is tried again, and nothing is skipped`() throws {
        _ = subscribe(sender(), credit: 3)
        let next = sessions.nextRead(newest: 100, now: now)
        let read = try #require(next)
        sessions.full(read, now: now)
        #expect(sessions.nextRead(newest: 100, now: now) == nil)
        now += .milliseconds(20)
        #expect(ranges(try serve()) == [1...10, 11...20, 21...30])
    }

    @Test mutating func `what is no message is counted, and only another version is answered`() {
        #expect(sessions.malformed(.wrongLength, from: route) == [])
        #expect(sessions.malformed(.otherProtocol, from: route) == [])
        #expect(reasons(sessions.malformed(.otherVersion(9), from: route).map(\.message)) == [.otherVersion])
        let heartbeat = FeedMessage.Heartbeat(subscription: sender().subscription, epoch: 1, newest: .start, sent: 0)
        #expect(sessions.receive(.heartbeat(heartbeat), from: route, now: now) == [])
        #expect(sessions.counts.malformed == 4)
    }

    @Test mutating func `there are only so many consumers`() {
        for number in 0..<FeedLimits.consumersMax { #expect(subscribe(sender("\(number)")) == []) }
        #expect(reasons(subscribe(sender("more"))) == [.tooManyConsumers])
        #expect(subscribe(sender("7", attempt: 2)) == [])
    }
}
