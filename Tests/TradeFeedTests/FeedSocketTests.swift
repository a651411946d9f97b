import ServiceKit
import Testing
import TradeFeed
import TradeModel

@Suite("Feed over ZeroMQ", .timeLimit(.minutes(5)))
struct FeedSocketTests {
    private func memory() -> MemoryLog { MemoryLog(recordsMax: 1_000_000, bytesMax: 500_000_000) }

    @Test(arguments: ["tcp://127.0.0.1:*", "ipc://*"])
    func `the whole stream arrives, old records and new ones`(endpoint: String) async throws {
        let log = memory()
        try log.append(records(1...1_000))
        let folder = try TemporaryFolder()
        let places = FeedPlaceFile(path: folder.path + "/places")
        let publisher = try FeedFixture.publisher(endpoint, log, placeFile: places.path)
        #expect(!publisher.endpoint.contains("*"))
        let consumer = try FeedFixture.consumer(publisher.endpoint)
        try await publisher.whileRunning {
            try await consumer.whileRunning {
                #expect(try await consumer.take(to: 1_000) == position(after: 1_000))
                for sequence in 1_001...1_200 as ClosedRange<Int64> {
                    try log.append(records(sequence...sequence))
                    publisher.recordsWereAdded()
                }
                let end = try await consumer.take(to: 1_200, after: position(after: 1_000))
                #expect(end == position(after: 1_200))
            }
            #expect(try await eventually { publisher.keptFrom == 1_201 })
            #expect(try await eventually { publisher.consumers.allSatisfy { !$0.isFollowing } })
        }
        #expect(try places.load() == [FeedPlace(consumer: Identifier("a")!, acknowledged: 1_200)])
        let next = try FeedFixture.publisher("ipc://*", log, placeFile: places.path)
        #expect(next.keptFrom == 1_201)
    }

    @Test func `several consumers each get the whole stream from their own place`() async throws {
        let log = memory()
        try log.append(records(1...3_000))
        let publisher = try FeedFixture.publisher(FeedFixture.endpoint(), log)
        try await publisher.whileRunning {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for first in [0, 0, 1, 1_500, 2_999, 3_000] as [Int64] {
                    let start = position(after: first)
                    group.addTask {
                        let name = "\(first)-\(UInt64.random(in: 0...UInt64.max))"
                        let consumer = try FeedFixture.consumer(publisher.endpoint, name, after: start)
                        try await consumer.whileRunning {
                            let end = try await consumer.take(to: 3_000, after: start)
                            #expect(end.sequence == 3_000)
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test func `a consumer that does not take holds nobody up, and gets no more than its credit`() async throws {
        let log = memory()
        try log.append(records(1...2_000))
        let publisher = try FeedFixture.publisher(FeedFixture.endpoint(), log, silenceMilliseconds: 3_000)
        let slow = try FeedFixture.consumer(publisher.endpoint, "slow", credit: 2)
        let quick = try FeedFixture.consumer(publisher.endpoint, "quick")
        try await publisher.whileRunning {
            try await slow.whileRunning {
                #expect(try await eventually { slow.status.received == 100 })
                let end = try await quick.whileRunning { try await quick.take(to: 2_000) }
                #expect(end == position(after: 2_000))
                // It is not silent, although it takes nothing for longer than silence may last.
                try await Task.sleep(for: .milliseconds(3_500))
                #expect(slow.status.received == 100 && slow.status.isFollowing)
                #expect(publisher.counts.silent == 0 && publisher.keptFrom == 1)
                #expect(try await slow.take(to: 2_000) == position(after: 2_000))
            }
        }
    }

    @Test func `what is no longer kept stops the consumer with the oldest that is`() async throws {
        let log = MemoryLog(recordsMax: 10, bytesMax: 1_000_000)
        try log.append(records(1...100))
        let publisher = try FeedFixture.publisher(FeedFixture.endpoint(), log)
        let consumer = try FeedFixture.consumer(publisher.endpoint)
        try await publisher.whileRunning {
            let running = Task { try await consumer.run() }
            await #expect(throws: FeedFailure.notKept(first: 1, oldest: 91)) { try await consumer.next() }
            await #expect(throws: FeedFailure.notKept(first: 1, oldest: 91)) { try await running.value }
        }
    }

    @Test func `a hash that differs stops the consumer with the place`() async throws {
        let log = memory()
        try log.append(records(1...100))
        let publisher = try FeedFixture.publisher(FeedFixture.endpoint(), log)
        let other = StreamPosition(sequence: 50, hash: 1)
        let consumer = try FeedFixture.consumer(publisher.endpoint, after: other)
        try await publisher.whileRunning {
            try await consumer.whileRunning {
                let failure = FeedFailure.hashDiffers(sequence: 50, here: 1, there: position(after: 50).hash)
                await #expect(throws: failure) { try await consumer.next() }
            }
        }
    }

    @Test func `a stream that begins anew behind a consumer stops it`() async throws {
        let endpoint = FeedFixture.endpoint()
        let consumer = try FeedFixture.consumer(endpoint)
        try await consumer.whileRunning {
            let log = memory()
            try log.append(records(1...100))
            let first = try FeedFixture.publisher(endpoint, log)
            let end = try await first.whileRunning { try await consumer.take(to: 100) }
            #expect(end.sequence == 100)
            let lost = memory()
            try lost.append(records(1...60))
            let second = try FeedFixture.publisher(endpoint, lost)
            try await second.whileRunning {
                await #expect(throws: FeedFailure.ahead(first: 101, newest: 60)) { try await consumer.next() }
            }
        }
    }

    @Test func `an endpoint that is given back is free, whoever starts programs meanwhile`() async throws {
        try await whileProgramsStart {
            for endpoint in [FeedFixture.endpoint(), try FeedFixture.publisher("tcp://127.0.0.1:*", memory()).endpoint]
            {
                for _ in 0..<100 { _ = try FeedFixture.publisher(endpoint, memory()) }
            }
        }
    }

    @Test func `of two consumers with one name the later one has it`() async throws {
        let log = memory()
        let publisher = try FeedFixture.publisher(FeedFixture.endpoint(), log)
        let first = try FeedFixture.consumer(publisher.endpoint, instance: 1)
        let second = try FeedFixture.consumer(publisher.endpoint, instance: 2)
        try await publisher.whileRunning {
            try await first.whileRunning {
                #expect(try await eventually { first.status.isFollowing })
                try await second.whileRunning {
                    let failure = FeedFailure.replaced("another consumer named a was started later")
                    await #expect(throws: failure) { try await first.next() }
                    try log.append(records(1...5))
                    publisher.recordsWereAdded()
                    #expect(try await second.take(to: 5).sequence == 5)
                }
            }
        }
    }

    @Test func `only what is durable is published, if that is asked for`() async throws {
        let folder = try TemporaryFolder()
        let log = try SegmentLog(folder: folder.path, settings: SegmentLog.Settings(sync: .onDemand))
        try log.append(records(1...10))
        try log.sync()
        try log.append(records(11...20))
        let publisher = try FeedFixture.publisher(FeedFixture.endpoint(), log, onlyDurable: true)
        let consumer = try FeedFixture.consumer(publisher.endpoint)
        try await publisher.whileRunning {
            try await consumer.whileRunning {
                #expect(try await consumer.take(to: 10) == position(after: 10))
                #expect(consumer.status.newest == 10)
                try log.sync()
                publisher.recordsWereAdded()
                let end = try await consumer.take(to: 20, after: position(after: 10))
                #expect(end == position(after: 20))
            }
        }
    }

    @Test func `large records pass`() async throws {
        let log = memory()
        let large = (0..<3).map { [UInt8](repeating: $0, count: LogLimits.recordBytesMax) }
        try log.append(RecordBuffer(large))
        let publisher = try FeedFixture.publisher("tcp://127.0.0.1:*", log)
        let consumer = try FeedFixture.consumer(publisher.endpoint)
        try await publisher.whileRunning {
            try await consumer.whileRunning {
                for record in large {
                    let run = try await consumer.next()
                    #expect(run?.records.arrays == [record])
                }
            }
        }
    }

    @Test func `garbage is counted and does no harm`() async throws {
        let log = memory()
        try log.append(records(1...500))
        let publisher = try FeedFixture.publisher(FeedFixture.endpoint(), log)
        let stranger = try Stranger(to: publisher.endpoint)
        let consumer = try FeedFixture.consumer(publisher.endpoint)
        let running = Task { try await publisher.run() }
        var generator = SeededGenerator(seed: 7)
        let golden = GoldenFeed.messages.map { $0.encode() }
        for _ in 0..<2_000 {
            var bytes = golden.randomElement(using: &generator)!
            bytes[Int.random(in: 0..<bytes.count, using: &generator)] ^= 0x55
            try await stranger.send(bytes)
        }
        let end = try await consumer.whileRunning { try await consumer.take(to: 500) }
        #expect(end == position(after: 500))
        #expect(try await eventually { publisher.counts.malformed > 100 })
        publisher.stop()
        try await running.value
    }

    @Test func `who asks for ever more and reads nothing fills his own connection, and holds nobody up`() async throws {
        let log = memory()
        let large = RecordBuffer(repeatElement([UInt8](repeating: 1, count: 100_000), count: 500))
        let end = try log.append(large)
        let publisher = try FeedFixture.publisher("tcp://127.0.0.1:*", log)
        let stranger = try Stranger(to: publisher.endpoint, highWater: 1)
        let consumer = try FeedFixture.consumer(publisher.endpoint)
        try await publisher.whileRunning {
            let attempt = Guarded<UInt32>(0)
            let isFull = try await eventually {
                let subscription = attempt.withLock { attempt in
                    attempt += 1
                    return FeedSubscription(instance: 1, attempt: attempt)
                }
                let hostile = FeedSender(consumer: Identifier("hostile")!, subscription: subscription)
                let subscribe = FeedMessage.Subscribe(sender: hostile, first: 1, durable: 0, credit: .max)
                try await stranger.send(FeedMessage.subscribe(subscribe).encode())
                try await stranger.send(FeedMessage.credit(hostile, total: .max).encode())
                return publisher.counts.full > 0
            }
            #expect(isFull)
            try await consumer.whileRunning {
                var position = StreamPosition.start
                while position.sequence < 500, let run = try await consumer.next() { position = run.end }
                #expect(position == end)
            }
        }
    }

    @Test func `another version is told so`() async throws {
        let publisher = try FeedFixture.publisher(FeedFixture.endpoint(), memory())
        let stranger = try Stranger(to: publisher.endpoint)
        let running = Task { try await publisher.run() }
        var bytes = GoldenFeed.messages[0].encode()
        bytes[2] = 2
        try await stranger.send(bytes)
        let answer = try #require(try await stranger.receive())
        guard case .success(.refused(let refused)) = answer.message() else {
            Issue.record("no refusal")
            return
        }
        #expect(refused.reason == .otherVersion && refused.text == "version 2 of the feed, expected 1")
        publisher.stop()
        try await running.value
    }

    @Test func `a consumer waits for a publisher that is not there yet, and ends when it is told to`() async throws {
        let endpoint = FeedFixture.endpoint()
        let consumer = try FeedFixture.consumer(endpoint)
        let running = Task { try await consumer.run() }
        let log = memory()
        try log.append(records(1...10))
        try await Task.sleep(for: .milliseconds(100))
        let publisher = try FeedFixture.publisher(endpoint, log)
        try await publisher.whileRunning {
            #expect(try await consumer.take(to: 10) == position(after: 10))
            let waiting = Task { try await consumer.next() }
            consumer.stop()
            let next = try await waiting.value
            #expect(next == nil)
            try await running.value
            #expect(try await consumer.next() == nil)
        }
        // The endpoint is free again.
        _ = try FeedFixture.publisher(endpoint, log)
    }

    @Test func `cancellation ends a wait for records`() async throws {
        let consumer = try FeedFixture.consumer(FeedFixture.endpoint())
        let running = Task { try await consumer.run() }
        let waiting = Task { try await consumer.next() }
        waiting.cancel()
        await #expect(throws: CancellationError.self) { try await waiting.value }
        running.cancel()
        try await running.value
    }
}
