import EmbeddedPostgres
import Foundation
import Repository
import ServiceKit
import SettleTesting
import Testing
import TradeFeed
import TradeModel

extension Processes {
    /// Many processes, kills and crashes over a load, one after the other so that they do not starve each other.
    @Suite(.timeLimit(.minutes(15))) struct ChaosTests {
        static let workerCount = 8
        static let tradeCount = 10_000

        @Test func `eight processes sweep the same trades, and each settles once`() async throws {
            let seed = UInt64.random(in: 1...999_999)
            print("seed \(seed)")
            let database = try TestDatabase()
            let load = TradeLoad(Self.tradeCount, seed: seed)
            try await load.prepare(database)
            try load.store(load.trades, in: database)

            // They begin together, so that whoever starts first does not settle all.
            try await database.expecting("queue pause")
            let workers = try await startWorkers(on: database) { _ in nil }
            try await database.expecting("queue resume")
            try await eventually("nothing is PENDING") { try database.trades(.pending) == 0 }
            for worker in workers { #expect(await worker.stop().exitCode == 0) }

            try expectSettledOnce(load, in: database)
            let settlers = try database.count("(select distinct worker_no from batches where trades > 0) b")
            #expect(settlers > 1, "only \(settlers) of the workers settled anything")
        }

        @Test func `eight processes are each sent the same trades, and each settles once`() async throws {
            let seed = UInt64.random(in: 1...999_999)
            print("seed \(seed)")
            let database = try TestDatabase()
            let load = TradeLoad(Self.tradeCount, seed: seed)
            try await load.prepare(database)

            let endpoints = (0..<Self.workerCount).map { _ in Endpoint() }
            let workers = try await startWorkers(on: database) { endpoints[$0].name }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for (index, endpoint) in endpoints.enumerated() {
                    // Each in an order of its own, some as single messages and some as arrays.
                    var generator = SeededGenerator(seed: seed &+ UInt64(index))
                    let trades = index == 0 ? load.trades : load.trades.shuffled(using: &generator)
                    group.addTask { try await endpoint.push(trades, inMessagesOf: index.isMultiple(of: 2) ? 1 : 100) }
                }
                try await group.waitForAll()
            }
            try await eventually("all is settled") { try database.trades(.settled) == Self.tradeCount }
            for worker in workers { #expect(await worker.stop().exitCode == 0) }

            try expectSettledOnce(load, in: database)
        }

        @Test func `a worker killed twenty times over a load loses nothing and doubles nothing`() async throws {
            let seed = UInt64.random(in: 1...999_999)
            print("seed \(seed)")
            var generator = SeededGenerator(seed: seed)
            let database = try TestDatabase()
            let load = TradeLoad(Self.tradeCount, accounts: 20, seed: seed)
            try await load.prepare(database)
            let endpoint = Endpoint()
            let environment = [
                "SETTLE_HEARTBEAT_TIMEOUT_MILLISECONDS": "300", "SETTLE_HEARTBEAT_INTERVAL_MILLISECONDS": "50",
                "SETTLE_SWEEP_INTERVAL_MILLISECONDS": "100",
            ]
            // Half of the trades are stored bit by bit, the other half is pushed again and again from the start.
            let stored = load.trades.prefix(Self.tradeCount / 2)
            let pushed = load.trades.suffix(Self.tradeCount / 2)
            let killCount = 20
            var settledAtKill: [Int] = []
            for round in 0..<killCount {
                let part = stored.count / killCount
                try load.store(stored.dropFirst(round * part).prefix(part), in: database)
                let worker = try await Program.worker(
                    on: database, ["--batch", "40"], intake: endpoint.name, environment: environment)
                let sender = Task {
                    try await endpoint.pushWhatFits(pushed.prefix((round + 1) * pushed.count / killCount))
                }
                // The worker dies after so many more trades, or when it has nothing left to do.
                let before = try database.trades(.settled)
                let target = before + Int.random(in: 1...600, using: &generator)
                try? await eventually("it has settled some", timeout: .seconds(2)) {
                    try database.trades(.settled) >= target
                }
                worker.signal(SIGKILL)
                #expect(await worker.wait().wasKilled)
                try await sender.value
                settledAtKill.append(try database.trades(.settled))
            }
            print("settled at each kill: \(settledAtKill)")
            #expect(settledAtKill[0] < Self.tradeCount / 2)

            let worker = try await Program.worker(on: database, intake: endpoint.name, environment: environment)
            try await endpoint.push(pushed, inMessagesOf: 50)
            try await eventually("all is settled") {
                try database.trades(.settled) == Self.tradeCount && database.trades(.pending) == 0
            }
            #expect(await worker.stop().exitCode == 0)
            try expectSettledOnce(load, in: database)
        }

        @Test func `PostgreSQL crashes three times under load, and no trade is blamed`() async throws {
            let seed = UInt64.random(in: 1...999_999)
            print("seed \(seed)")
            let crashing = try CrashingDatabase()
            let database = crashing.database
            let load = TradeLoad(Self.tradeCount, accounts: 20, seed: seed)
            try await load.prepare(database)
            try load.store(load.trades.prefix(Self.tradeCount / 2), in: database)
            let endpoint = Endpoint()
            let worker = try await Program.worker(
                on: database, ["--batch", "50"], intake: endpoint.name,
                environment: [
                    "SETTLE_BREAKER_PAUSE_MILLISECONDS": "50", "SETTLE_BREAKER_PAUSE_MILLISECONDS_MAX": "200",
                ])
            // However fast the others were, these come while the database is away.
            let late = Array(load.trades.suffix(30))
            let early = load.trades.dropLast(late.count)
            let sender = Task { try await endpoint.push(early.dropFirst(Self.tradeCount / 2), inMessagesOf: 10) }
            for crash in 1...3 {
                let target = min(try database.trades(.settled) + 500, early.count)
                try await eventually("it settles before crash \(crash)") { try database.trades(.settled) >= target }
                let away = worker.occurrences(of: "database is away")
                try crashing.cluster.stopImmediately()
                let latecomers = Task { try await endpoint.push(late[(crash - 1) * 10..<crash * 10]) }
                #expect(await worker.waitFor("database is away", times: away + 1))
                let closed = worker.occurrences(of: "database is back")
                try crashing.cluster.start()
                #expect(await worker.waitFor("database is back", times: closed + 1))
                try await latecomers.value
            }
            try await sender.value
            try await eventually("all is settled") {
                try database.trades(.settled) == Self.tradeCount && database.trades(.pending) == 0
            }
            #expect(worker.isRunning)
            #expect(await worker.stop().exitCode == 0)
            try expectSettledOnce(load, in: database)
        }

        private func startWorkers(
            on database: TestDatabase, intake: @escaping @Sendable (Int) -> String?
        ) async throws -> [Program] {
            try await withThrowingTaskGroup(of: Program.self) { group in
                for index in 0..<Self.workerCount {
                    group.addTask { try await Program.worker(on: database, intake: intake(index)) }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
        }
    }
}

/// Every trade of a load is settled, no letter was written, the balances are exact and the books right.
func expectSettledOnce(
    _ load: TradeLoad, in database: TestDatabase, sourceLocation: SourceLocation = #_sourceLocation
) throws {
    #expect(try database.trades(.settled) == load.trades.count, sourceLocation: sourceLocation)
    #expect(try database.count("trades") == load.trades.count, sourceLocation: sourceLocation)
    let letters = try database.value("select string_agg(class || ' ' || message, '; ') from dead_letters")
    #expect(letters == "", sourceLocation: sourceLocation)
    #expect(try load.wrongBalances(in: database) == [], sourceLocation: sourceLocation)
    #expect(try database.deadlocks() == 0, sourceLocation: sourceLocation)
    #expect(try database.violations() == [], sourceLocation: sourceLocation)
}
