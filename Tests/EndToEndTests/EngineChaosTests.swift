import Foundation
import Repository
import ServiceKit
import SettleTesting
import Testing
import TradeFeed
import TradeModel

extension EngineProcesses {
    /// Orders through the engine, its feed and the workers into PostgreSQL, with real processes that are killed.
    @Suite(.timeLimit(.minutes(10))) struct EngineChaosTests {
        /// How many orders there are; `make storm` sends more.
        private static let orderCount =
            ProcessInfo.processInfo.environment["SETTLE_STORM_ORDERS"].flatMap { Int($0) } ?? 10_000
        private static let roundCount = 5

        @Test func `each part is killed in each of five rounds, and nothing is lost or done twice`() async throws {
            let seed = UInt64.random(in: 1...999_999)
            print("seed \(seed)")
            var generator = SeededGenerator(seed: seed)
            // given
            let crashing = try CrashingDatabase()
            let database = crashing.database
            let venue = Venue()
            defer { venue.removeFolder() }
            var engine = try await venue.start()
            var workers = [try await venue.worker(on: database), try await venue.worker(on: database)]
            _ = try await venue.client().carryOut(OrderFlow.opening)

            // when
            let traders = Traders(venue, seed: seed, orderCount: Self.orderCount)
            let trading = Task { try await traders.trade() }
            for round in 0..<Self.roundCount {
                for (place, part) in ["engine", "worker", "server"].shuffled(using: &generator).enumerated() {
                    let moment = Double(round) + (Double(place) + Double.random(in: 0..<1, using: &generator)) / 3
                    let due = Int(moment / Double(Self.roundCount) * Double(Self.orderCount))
                    try await eventually("\(due) orders are sent", timeout: .seconds(300)) {
                        traders.sentCount >= due || trading.isCancelled
                    }
                    switch part {
                    case "engine":
                        engine.signal(SIGKILL)
                        #expect(await engine.wait().wasKilled)
                        engine = try await venue.start()
                    case "worker":
                        let victim = workers.remove(at: Int.random(in: 0..<workers.count, using: &generator))
                        victim.signal(SIGKILL)
                        #expect(await victim.wait().wasKilled)
                        workers.append(try await venue.worker(on: database))
                    default:
                        try crashing.cluster.stopImmediately()
                        try crashing.cluster.start()
                    }
                }
            }
            let answered = try await trading.value

            // then
            try await venue.expectEqual(database)
            #expect(try database.trades(.settled) > Self.orderCount / 10)
            #expect(try await traders.missing(answered) == 0, "an engine forgot what it had answered")
            for program in workers + [engine] { #expect(await program.stop().exitCode == 0) }
        }

        @Test func `without a log on disk an engine that starts anew is not taken for the old one`() async throws {
            let database = try TestDatabase()
            let venue = Venue()
            var engine = try await venue.start("--no-wal")
            let worker = try await venue.worker(on: database)
            _ = try await venue.client().carryOut(OrderFlow.opening)
            try await eventually("it is settled") { try database.watermark() == Int64(OrderFlow.opening.count) }
            engine.signal(SIGKILL)
            await engine.wait()

            engine = try await venue.start("--no-wal")
            try await eventually("the stream is halted") {
                try database.value("select halted_for from feed_state").contains("lost records")
            }
            #expect(await worker.waitFor("the feed is halted"))
            for program in [worker, engine] { #expect(await program.stop().exitCode == 0) }
            #expect(try database.violations() == [])
        }
    }
}

/// Sends orders to an engine that may be killed meanwhile, and sends them again when no answer came.
private final class Traders: Sendable {
    private static let handful = 200

    private let venue: Venue
    private let seed: UInt64
    private let orderCount: Int
    private let sent = Guarded(0)

    init(_ venue: Venue, seed: UInt64, orderCount: Int) {
        self.venue = venue
        self.seed = seed
        self.orderCount = orderCount
    }

    var sentCount: Int { sent.withLock { $0 } }

    /// Returns all records that the engine answered with, by their sequence.
    func trade() async throws -> [UInt64: [UInt8]] {
        var flow = OrderFlow(seed: seed)
        var records: [UInt64: [UInt8]] = [:]
        while sentCount < orderCount {
            let commands = flow.next(min(Self.handful, orderCount - sentCount))
            for record in try await untilAnswered(commands) {
                records[try record.withUnsafeBytes { try EngineOutput(bytes: $0).sequence }] = record
            }
            sent.withLock { $0 += commands.count }
        }
        return records
    }

    private func untilAnswered(_ commands: [[UInt8]]) async throws -> [[UInt8]] {
        for _ in 1...60 {
            do {
                return try await EntryClient(endpoint: venue.orders.name, timeout: .seconds(1)).carryOut(commands)
            } catch EntryFailure.silent, EntryFailure.refused(.stopping, _) {
                continue
            }
        }
        throw EntryFailure.silent(venue.orders.name)
    }

    /// How many of the records are not what the engine's feed has.
    func missing(_ records: [UInt64: [UInt8]]) async throws -> Int {
        let consumer = try FeedConsumer(
            endpoint: venue.feed.name,
            start: FeedCursor.Start(
                consumer: Identifier("auditor")!, instance: 1, after: 0, hash: 0, keepsPlace: false))
        let running = Task { try await consumer.run() }
        defer { running.cancel() }
        var missing = records
        let last = records.keys.max() ?? 0
        while let run = try await consumer.next() {
            for (place, record) in run.records.enumerated() {
                let sequence = UInt64(run.first) + UInt64(place)
                if missing[sequence] == Array(record) { missing[sequence] = nil }
            }
            if run.end.sequence >= Int64(last) { break }
        }
        return missing.count
    }
}
