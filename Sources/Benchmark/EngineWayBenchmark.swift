import EngineHost
import Foundation
import ServiceKit
import TradeEngine
import TradeFeed
import TradeModel

/// How fast commands go the whole way: in at the door of an engine that runs, into its log, and out by its feed to one
/// consumer.
public enum EngineWayBenchmark {
    /// Whether commands and records are kept on disk.
    public enum Way: String, CaseIterable, Sendable {
        case memory, log
    }

    public struct Plan: Sendable {
        public var ways: [Way]
        public var commandCount: Int
        public var accountCount: Int
        /// How many orders are open.
        public var depth: Int
        public var roundCount: Int
        public var seed: UInt64
        /// Where folders for logs are made, and removed again.
        public var folder: String

        public init(
            ways: [Way], commandCount: Int, accountCount: Int, depth: Int, roundCount: Int, seed: UInt64,
            folder: String
        ) {
            self.ways = ways
            self.commandCount = commandCount
            self.accountCount = accountCount
            self.depth = depth
            self.roundCount = roundCount
            self.seed = seed
            self.folder = folder
        }
    }

    public struct Result: Sendable {
        public let way: Way
        /// As fast as it goes, one rate for each round.
        public var perSecond: [Double] = []
        /// From the moment when a command was due to the moment when the consumer had its record, at half that rate.
        public var latencies = LatencyCounts()
    }

    /// The engine did not do what the commands should have led to.
    public struct Failure: Error, CustomStringConvertible {
        public let description: String
    }

    private static let sendMax = 10_000
    private static let nap = Duration.microseconds(200)
    private static let patience = Duration.seconds(60)

    /// The ways alternate, and each second round goes the other way round, since machines drift.
    public static func run(_ plan: Plan, progress: (Int) -> Void) async throws -> [Result] {
        var results = plan.ways.map { Result(way: $0) }
        guard !results.isEmpty else { return [] }
        for round in 0..<plan.roundCount {
            let commands = Commands(plan, seed: plan.seed &+ UInt64(round))
            for place in results.indices {
                progress(round * results.count + place)
                let index = round % 2 == 0 ? place : results.count - 1 - place
                try Task.checkCancellation()
                let rate = try await measure(commands, results[index].way, plan, perSecond: nil).perSecond
                results[index].perSecond.append(rate)
                let paced = try await measure(commands, results[index].way, plan, perSecond: rate / 2)
                results[index].latencies.add(paced.latencies)
            }
        }
        return results
    }

    private struct Commands: Sendable {
        let preparation: [[UInt8]]
        let measured: [[UInt8]]
        let tradeCount: Int

        init(_ plan: Plan, seed: UInt64) {
            let load = EngineLoad(
                commandCount: plan.commandCount, accountCount: plan.accountCount, depth: plan.depth, seed: seed)
            preparation = (0..<load.preparationCount).map { Array(load[$0]) }
            measured = (load.preparationCount..<load.count).map { Array(load[$0]) }
            tradeCount = load.tradeCount
        }
    }

    private struct Measurement {
        var perSecond: Double
        var latencies: LatencyCounts
    }

    private static func measure(
        _ commands: Commands, _ way: Way, _ plan: Plan, perSecond: Double?
    ) async throws -> Measurement {
        var settings = EngineSettings(entryEndpoint: "tcp://127.0.0.1:*", feedEndpoint: "tcp://127.0.0.1:*")
        let folder = "\(plan.folder)/settle-bench-engine-\(UUID().uuidString)"
        if way == .log { settings.folder = folder }
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let host = try EngineHost(settings, log: .silent)
        let client = try EntryClient(endpoint: host.entryEndpoint, timeout: patience)
        let consumer = try FeedConsumer(
            endpoint: host.feedEndpoint,
            start: FeedCursor.Start(consumer: Identifier("bench")!, instance: 1, after: 0, hash: 0))
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                defer { consumer.stop() }
                try await host.run()
            }
            group.addTask { try await consumer.run() }
            do {
                let measurement = try await measure(commands, client, consumer, &group, perSecond)
                consumer.stop()
                host.stop()
                try await group.waitForAll()
                return measurement
            } catch {
                consumer.stop()
                host.stop()
                // Whoever failed first knows why.
                try await group.waitForAll()
                throw error
            }
        }
    }

    private static func measure(
        _ commands: Commands, _ client: EntryClient, _ consumer: FeedConsumer,
        _ group: inout ThrowingTaskGroup<Void, any Error>, _ perSecond: Double?
    ) async throws -> Measurement {
        _ = try await client.carryOut(commands.preparation)
        try await take(from: consumer, upTo: commands.preparation.count) { _ in }

        let tradesBefore = try await tradeCount(client)
        let begin = ContinuousClock.now
        group.addTask {
            do { try await send(commands.measured, to: client, perSecond: perSecond, since: begin) } catch {
                consumer.stop()
                throw error
            }
        }
        var latencies = LatencyCounts()
        latencies.reserve(nanosecondsMax: 10_000_000_000)
        let nanosecondsEach = 1e9 / (perSecond ?? .infinity)
        var received = 0
        try await take(from: consumer, upTo: commands.preparation.count + commands.measured.count) { run in
            let now = begin.duration(to: .now).nanoseconds
            for index in received..<received + run.records.count {
                latencies.record(nanoseconds: max(0, now - Int64(Double(index) * nanosecondsEach)))
            }
            received += run.records.count
        }
        let seconds = (ContinuousClock.now - begin) / .seconds(1)
        guard try await tradeCount(client) - tradesBefore == commands.tradeCount else {
            throw Failure(description: "the engine made other trades than the same commands led to before")
        }
        return Measurement(perSecond: Double(commands.measured.count) / seconds, latencies: latencies)
    }

    private static func take(
        from consumer: FeedConsumer, upTo count: Int, _ each: (RecordRun) -> Void
    ) async throws {
        while let run = try await consumer.next() {
            each(run)
            consumer.acknowledge(upTo: run.end.sequence)
            if run.end.sequence >= Int64(count) { return }
        }
        throw Failure(description: "the feed ended before its last record")
    }

    /// Sends commands as fast as they are answered, or as they are due.
    private static func send(
        _ commands: [[UInt8]], to client: EntryClient, perSecond: Double?, since begin: ContinuousClock.Instant
    ) async throws {
        var sent = 0
        while sent < commands.count {
            let due = perSecond.map { Int((ContinuousClock.now - begin) / .seconds(1) * $0) + 1 } ?? commands.count
            let end = min(due, sent + sendMax, commands.count)
            guard end > sent else {
                try await Task.sleep(for: nap)
                continue
            }
            _ = try await client.carryOut(Array(commands[sent..<end]))
            sent = end
        }
    }

    private static func tradeCount(_ client: EntryClient) async throws -> Int {
        let answer = try await client.query(Array(JSONEncoder().encode(EngineQuery.status)))
        return try JSONDecoder().decode(EngineAnswer.self, from: Data(answer)).trades
    }
}
