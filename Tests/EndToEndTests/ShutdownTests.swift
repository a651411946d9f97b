import Foundation
import Repository
import SettleTesting
import Testing
import TradeModel

extension Processes {
    /// How a worker process ends, whatever holds it up.
    @Suite(.timeLimit(.minutes(5))) struct ShutdownTests {
        /// Longer than any test waits: what ends all the same was not waited for.
        private static let patient = ["--shutdown-timeout", "10m"]

        @Test func `SIGTERM settles what has been received and ends well`() async throws {
            let seed = UInt64.random(in: 1...999_999)
            print("seed \(seed)")
            let database = try TestDatabase()
            let load = TradeLoad(1_500, accounts: 10, seed: seed)
            try await load.prepare(database)
            try load.store(load.trades, in: database)
            let worker = try await Program.worker(on: database, ["--batch", "10", "--queue-size", "300"])
            try await eventually("it works") { try database.trades(.settled) > 0 }
            let result = await worker.stop()
            #expect(result.exitCode == 0 && !result.wasKilled, "\(result.errors)")
            #expect(result.errors.contains("event=\"worker stopped\""))

            // What it had claimed is settled, what it had not is free for the next.
            #expect(try database.count("trades where status = 'PENDING' and claimed_by is not null") == 0)
            #expect(try database.count("workers") == 0)
            #expect(try await Program.run(on: database, "worker", "--once").exitCode == 0)
            try expectSettledOnce(load, in: database)
        }

        @Test func `SIGTERM is heard however soon it comes after the start`() async throws {
            let database = try TestDatabase()
            for _ in 0..<10 {
                let result = try await Program.worker(on: database).stop()
                #expect(result.exitCode == 0 && !result.wasKilled, "\(result.errors)")
            }
            #expect(try database.count("workers") == 0)
        }

        @Test func `the deadline names what is left, frees it and exits with an error`() async throws {
            let held = try await HeldUp(storing: 5)
            let worker = try await Program.worker(on: held.database, ["--shutdown-timeout", "1s"])
            try await held.untilItWaits()
            // The lock is held meanwhile: without its deadline it would be killed.
            let result = await worker.stop()
            #expect(result.exitCode == 1 && !result.wasKilled, "\(result.exitCode) \(result.errors)")
            for number in 1...5 { #expect(result.errors.contains("trade=BTC/USDT:t\(number) "), "\(result.errors)") }
            try await held.expectAllSettleLater()
        }

        @Test func `a second signal ends at once and names what is left`() async throws {
            let held = try await HeldUp(storing: 5)
            let worker = try await Program.worker(on: held.database, Self.patient)
            try await held.untilItWaits()
            worker.signal(SIGTERM)
            #expect(await worker.waitFor("event=\"worker stops\""))
            #expect(worker.isRunning)
            worker.signal(SIGINT)
            let result = await worker.wait()
            #expect(result.exitCode == 130 && !result.wasKilled, "\(result.exitCode) \(result.errors)")
            for number in 1...5 { #expect(result.errors.contains("trade=BTC/USDT:t\(number) "), "\(result.errors)") }
            try await held.expectAllSettleLater()
        }

        @Test func `a third signal exits on the spot`() async throws {
            let held = try await HeldUp(storing: 5)
            let worker = try await Program.worker(on: held.database, Self.patient)
            try await held.untilItWaits()
            worker.signal(SIGTERM)
            #expect(await worker.waitFor("event=\"worker stops\""))
            for _ in 0..<20 where worker.isRunning {
                worker.signal(SIGTERM)
                try await Task.sleep(for: .milliseconds(5))
            }
            let result = await worker.wait()
            #expect(result.exitCode == 130 && !result.wasKilled, "\(result.exitCode)")
            try await held.expectAllSettleLater()
        }

        @Test func `what was pushed and not settled by the deadline is named, queued or not`() async throws {
            let held = try await HeldUp(storing: 0)
            let endpoint = Endpoint()
            let worker = try await Program.worker(
                on: held.database, ["--shutdown-timeout", "1s", "--queue-size", "2", "--batch", "1"],
                intake: endpoint.name)
            let trades = held.trades(6)
            // One message, so that the reader has all of it in its hands while the queue has room for two.
            try await endpoint.push(trades, inMessagesOf: 6)
            try await held.untilItWaits()
            let result = await worker.stop()
            #expect(result.exitCode == 1, "\(result.exitCode) \(result.errors)")
            for trade in trades {
                #expect(result.errors.contains("trade=\(trade.key) "), "\(trade.key)\n\(result.errors)")
            }
            try held.letGo()
            #expect(try held.database.violations() == [])
        }

        @Test func `a worker that has nothing to do ends at once while the database is away`() async throws {
            let crashing = try CrashingDatabase()
            let worker = try await Program.worker(on: crashing.database, Self.patient)
            try crashing.cluster.stopImmediately()
            #expect(await worker.waitFor("sweep failed"))
            let result = await worker.stop()
            #expect(result.exitCode == 0 && !result.wasKilled, "\(result.errors)")
        }

        @Test(arguments: [1, 2]) func `settling once ends on a signal while the database is away`(
            _ signals: Int
        ) async throws {
            let crashing = try CrashingDatabase()
            let database = crashing.database
            try database.addMarket()
            try await deposit([("alice", "1000", "USDT"), ("bob", "10", "BTC")], in: database)
            _ = try database.connect().pipeline([
                TradeStore.accept([trade("t1", price: "100", quantity: "1", buyer: "alice", seller: "bob")])
            ])
            let lock = try database.connect()
            try lock.script("begin; select from balances for update")
            let worker = try Program(
                ["worker", "--once"] + (signals == 1 ? ["--shutdown-timeout", "1s"] : Self.patient),
                environment: ["DATABASE_URL": database.connectionString])
            try await eventually("it waits for the lock") {
                try database.count("pg_stat_activity where wait_event_type = 'Lock'") > 0
            }
            try crashing.cluster.stopImmediately()
            #expect(await worker.waitFor("database is away") || worker.isRunning)
            // Two different ones, since the same one twice may arrive once.
            for signal in [SIGTERM, SIGINT].prefix(signals) { worker.signal(signal) }
            let result = await worker.wait()
            #expect(!result.wasKilled, "\(result.errors)")
            #expect(result.exitCode == (signals == 1 ? 1 : 130), "\(result.exitCode) \(result.errors)")
            try crashing.cluster.start()
            #expect(try database.violations() == [])
            // It could not sign off, so its claim is free when it has been silent for a while.
            try await eventually("it is settled") {
                _ = try await Program.run(
                    on: database, "worker", "--once", environment: ["SETTLE_HEARTBEAT_TIMEOUT_MILLISECONDS": "100"])
                return try database.trades(.settled) == 1
            }
        }
    }
}

/// A database in which a lock holds up every settlement until it is let go.
private final class HeldUp {
    let database: TestDatabase
    private let lock: PostgresConnection
    private let stored: Int

    init(storing count: Int) async throws {
        database = try TestDatabase()
        stored = count
        lock = try database.connect()
        try database.addMarket()
        try await deposit([("alice", "1000", "USDT"), ("bob", "10", "BTC")], in: database)
        if count > 0 { _ = try lock.pipeline([TradeStore.accept(trades(count))]) }
        try lock.script("begin; select from balances for update")
    }

    func trades(_ count: Int) -> [Trade] {
        (1...count).map { trade("t\($0)", price: "100", quantity: "1", buyer: "alice", seller: "bob") }
    }

    func untilItWaits() async throws {
        try await eventually("a settlement waits for the lock") {
            try database.count(
                "pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()") > 0
        }
    }

    func letGo() throws {
        try lock.script("rollback")
    }

    /// Nothing was changed or parked, nothing is claimed by the dead, and the next worker settles all of it.
    func expectAllSettleLater() async throws {
        try letGo()
        #expect(try database.count("dead_letters") == 0)
        let environment = [
            "SETTLE_HEARTBEAT_TIMEOUT_MILLISECONDS": "100", "SETTLE_SWEEP_INTERVAL_MILLISECONDS": "50",
        ]
        let next = try await Program.worker(on: database, environment: environment)
        try await eventually("all is settled") { try database.trades(.settled) == stored }
        #expect(await next.stop().exitCode == 0)
        #expect(try database.violations() == [])
    }
}
