import ServiceKit
import Testing
import TradeFeed
import TradeModel

/// Whatever happens between the two, and to either of them, each consumer gets the whole stream, in order, once.
@Suite("Feed under faults", .serialized, .timeLimit(.minutes(5)))
struct FeedFaultTests {
    private static let recordCount: Int64 = 6_000

    /// A consumer's own memory, of which a crash takes what is not durable.
    private actor Books {
        private(set) var position = StreamPosition.start
        private(set) var durable = StreamPosition.start

        func settle(_ run: RecordRun) {
            #expect(run.start == position, "a hole or a repetition")
            #expect(run.isConsistent)
            for (number, bytes) in zip(run.first..., run.records) { #expect(bytes.elementsEqual(record(number))) }
            position = run.end
        }

        func makeDurable() -> Int64 {
            durable = position
            return durable.sequence
        }

        func crash() -> StreamPosition {
            position = durable
            return durable
        }
    }

    /// One life of a consumer: until it has everything, or dies.
    private func live(
        _ consumer: FeedConsumer, _ books: Books, deathAfter batches: Int?, pause: Duration?, seed: UInt64
    ) async throws {
        try await consumer.whileRunning {
            var generator = SeededGenerator(seed: seed)
            var taken = 0
            while await books.position.sequence < Self.recordCount, let run = try await consumer.next() {
                await books.settle(run)
                taken += 1
                if let pause { try await Task.sleep(for: pause) }
                if Int.random(in: 0..<3, using: &generator) == 0 {
                    consumer.acknowledge(upTo: await books.makeDurable())
                }
                if let batches, taken >= batches { return }
            }
            consumer.acknowledge(upTo: await books.makeDurable())
        }
    }

    private func follow(
        _ endpoint: String, _ name: String, dies: Bool, pause: Duration? = nil, seed: UInt64
    ) async throws {
        var generator = SeededGenerator(seed: seed)
        let books = Books()
        var instance: UInt64 = 0
        while await books.durable.sequence < Self.recordCount {
            instance += 1
            let consumer = try FeedFixture.consumer(
                endpoint, name, instance: instance, after: await books.crash())
            try await live(
                consumer, books, deathAfter: dies ? Int.random(in: 1...40, using: &generator) : nil, pause: pause,
                seed: generator.next())
        }
        #expect(await books.durable == position(after: Self.recordCount), "seed \(seed)")
    }

    /// Adds records in bursts.
    private func write(_ log: @Sendable () -> any RecordLog, _ wake: @Sendable () -> Void, seed: UInt64) async throws {
        var generator = SeededGenerator(seed: seed)
        var next: Int64 = 1
        while next <= Self.recordCount {
            let last = min(Self.recordCount, next + Int64.random(in: 0..<40, using: &generator))
            try log().append(records(next...last))
            wake()
            next = last + 1
            if Int.random(in: 0..<4, using: &generator) == 0 { try await Task.sleep(for: .milliseconds(2)) }
        }
    }

    @Test(
        arguments: [
            ("dropped", FaultyProxy.Faults(dropPerMille: 100)), ("doubled", FaultyProxy.Faults(doublePerMille: 300)),
            ("reordered", FaultyProxy.Faults(delayPerMille: 200)), ("cut", FaultyProxy.Faults(cutPerMille: 100)),
            ("damaged", FaultyProxy.Faults(flipPerMille: 60)), ("all of it", .all),
        ] as [(String, FaultyProxy.Faults)])
    func `messages that are lost, doubled, late, cut or damaged change nothing`(
        what: String, faults: FaultyProxy.Faults
    ) async throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("messages \(what), seed \(seed)")
        let log = MemoryLog(recordsMax: 100_000, bytesMax: 100_000_000)
        let publisher = try FeedFixture.publisher(FeedFixture.endpoint(), log)
        try await publisher.whileRunning {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await write({ log }, { publisher.recordsWereAdded() }, seed: seed) }
                for (number, name) in ["a", "b"].enumerated() {
                    group.addTask {
                        let seed = seed &+ UInt64(number) &+ 1
                        let proxy = try FaultyProxy(to: publisher.endpoint, faults: faults, seed: seed)
                        try await withThrowingTaskGroup(of: Void.self) { pair in
                            pair.addTask { try await proxy.run() }
                            defer { proxy.stop() }
                            try await follow(
                                proxy.endpoint, name, dies: number == 1,
                                pause: number == 1 ? .milliseconds(1) : nil, seed: seed)
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    /// The publisher's process, started anew each time from what the log on disk holds.
    private final class Engine: Sendable {
        let endpoint = FeedFixture.endpoint()
        private let folder: String
        private let life: Guarded<(log: SegmentLog, publisher: FeedPublisher, running: Task<Void, any Error>)?>
        private let epoch = Guarded<UInt64>(0)

        init(folder: String) throws {
            self.folder = folder
            // Both are known from the beginning: for who comes later, nothing would be kept.
            try FeedPlaceFile(path: folder + "/places").save(
                (0..<2).map { FeedPlace(consumer: Identifier("consumer-\($0)")!, acknowledged: 0) })
            life = Guarded(nil)
        }

        func begin() throws {
            let log = try SegmentLog(
                folder: folder, settings: SegmentLog.Settings(segmentBytesMax: 50_000, sync: .onDemand))
            let epoch = epoch.withLock { epoch in
                epoch += 1
                return epoch
            }
            let publisher = try FeedFixture.publisher(
                endpoint, log, epoch: epoch, placeFile: folder + "/places")
            let running = Task { try await publisher.run() }
            life.withLock { $0 = (log, publisher, running) }
        }

        func end() async throws {
            let ended = life.withLock { life in
                defer { life = nil }
                return life
            }
            guard let ended else { return }
            ended.publisher.stop()
            try await ended.running.value
        }

        /// The next records, wherever the log ends; and what no consumer needs any longer goes.
        func write(_ count: Int64) throws -> Int64 {
            try life.withLock { life in
                guard let life else { return 0 }
                let newest = life.log.extent.newest.sequence
                let last = min(FeedFaultTests.recordCount, newest + count)
                if last > newest { try life.log.append(records(newest + 1...last)) }
                life.publisher.recordsWereAdded()
                if let kept = life.publisher.keptFrom { try life.log.drop(below: kept) }
                return last
            }
        }

        var oldest: Int64 { life.withLock { $0?.log.extent.oldest ?? 0 } }
    }

    @Test(arguments: [false, true])
    func `either side may end and begin at any time`(withFaults: Bool) async throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("restarts, with faults: \(withFaults), seed \(seed)")
        let folder = try TemporaryFolder()
        let engine = try Engine(folder: folder.path)
        try engine.begin()
        try await withThrowingTaskGroup(of: Void.self) { group in
            let isDone = OneShot()
            group.addTask {
                var generator = SeededGenerator(seed: seed)
                while !isDone.hasFired {
                    for _ in 0..<Int.random(in: 5...120, using: &generator) {
                        _ = try engine.write(Int64.random(in: 1...30, using: &generator))
                        try await Task.sleep(for: .milliseconds(2))
                    }
                    try await engine.end()
                    if Bool.random(using: &generator) { try await Task.sleep(for: .milliseconds(20)) }
                    try engine.begin()
                }
            }
            group.addTask {
                try await withThrowingTaskGroup(of: Void.self) { followers in
                    for number in 0..<2 as Range<UInt64> {
                        followers.addTask {
                            let seed = seed &+ number &+ 1
                            let faults = withFaults ? FaultyProxy.Faults.all : FaultyProxy.Faults()
                            let proxy = try FaultyProxy(to: engine.endpoint, faults: faults, seed: seed)
                            try await withThrowingTaskGroup(of: Void.self) { pair in
                                pair.addTask { try await proxy.run() }
                                defer { proxy.stop() }
                                try await follow(proxy.endpoint, "consumer-\(number)", dies: true, seed: seed)
                            }
                        }
                    }
                    try await followers.waitForAll()
                }
                isDone.fire()
            }
            try await group.waitForAll()
        }
        #expect(engine.oldest > 1, "what both have made durable need not be kept")
        try await engine.end()
    }
}
