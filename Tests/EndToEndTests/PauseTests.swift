import EmbeddedPostgres
import Foundation
import Repository
import SettleTesting
import Testing
import TradeModel

extension Processes {
    /// A queue that is paused, drained and resumed while workers are at it.
    @Suite(.timeLimit(.minutes(5))) struct PauseTests {
        private static let impatient = ["SETTLE_HEARTBEAT_TIMEOUT_MILLISECONDS": "1500"]

        @Test func `a pause holds back all workers at once, and a resume lets them go on`() async throws {
            let seed = UInt64.random(in: 1...999_999)
            print("seed \(seed)")
            let database = try TestDatabase()
            let load = TradeLoad(3_000, accounts: 20, seed: seed)
            try await load.prepare(database)
            let endpoint = Endpoint()
            let sweeps = ["SETTLE_SWEEP_INTERVAL_MILLISECONDS": "100"]
            let first = try await Program.worker(
                on: database, ["--batch", "20"], intake: endpoint.name, environment: sweeps)
            let second = try await Program.worker(on: database, ["--batch", "20"], environment: sweeps)
            try load.store(load.trades.prefix(1_000), in: database)
            async let pushed: Void = endpoint.push(load.trades[1_000..<2_000])
            try await eventually("they work") { try database.trades(.settled) > 100 }

            let drained = try await database.typing("queue drain --timeout 30s --reason upgrade")
            #expect(drained.exitCode == 0, "\(drained.errors)")
            #expect(
                drained.output.hasPrefix("the queue is drained: 2 workers, 0 trades in memory, "), "\(drained.output)")
            let settled = try database.trades(.settled)
            let batches = try database.count("batches")
            try load.store(load.trades[2_000...], in: database)
            for worker in [first, second] { #expect(await worker.waitFor("event=\"queue is paused\"")) }
            // Longer than some sweeps: nobody looks at what waits, whatever wakes them.
            try await Task.sleep(for: .milliseconds(400))
            #expect(try database.trades(.settled) == settled)
            #expect(try database.count("batches") == batches)
            #expect(try database.count("trades where claimed_by is not null") == 0)
            let status = try await database.expecting("queue status")
            #expect(status.lines.filter { $0.contains("  paused  ") }.count == 2, "\(status)")

            try await database.expecting("queue resume")
            _ = try await pushed
            try await eventually("all is settled") { try database.trades(.settled) == 3_000 }
            for worker in [first, second] { #expect(await worker.stop().exitCode == 0) }
            try expectSettledOnce(load, in: database)
        }

        @Test func `a worker that starts while the queue is paused says so and waits`() async throws {
            let database = try await databaseWithWaitingTrades(5)
            try await database.expecting("queue pause --reason night")
            let worker = try await Program.worker(on: database)
            #expect(await worker.waitFor("the queue is paused since"))
            #expect(await worker.waitFor(": night; nothing is settled"))
            try await eventually("it is seen") {
                try await database.expecting("queue status").contains("  paused ")
            }
            #expect(try database.trades(.pending) == 5)
            // A stop in the pause is as clean as any.
            #expect(await worker.stop().exitCode == 0)
            #expect(try database.trades(.pending) == 5)
            let next = try await Program.worker(on: database)
            try await database.expecting("queue resume")
            try await eventually("all is settled") { try database.trades(.settled) == 5 }
            #expect(await next.stop().exitCode == 0)
            #expect(try database.violations() == [])
        }

        @Test func `what a worker has received when it stops in a pause is stored, and settled later`() async throws {
            let database = try await databaseWithWaitingTrades(0)
            let endpoint = Endpoint()
            let worker = try await Program.worker(on: database, intake: endpoint.name)
            try await database.expecting("queue pause")
            let trades = (1...20).map { trade("m\($0)", price: "1", quantity: "0.1", buyer: "alice", seller: "bob") }
            try await endpoint.push(trades)
            try await endpoint.push("no trade")
            #expect(await worker.stop().exitCode == 0)
            #expect(try database.trades(.settled) == 0)
            #expect(try database.trades(.pending) == 20)
            #expect(try database.value("select class from dead_letters") == "undecodable")

            try await database.expecting("queue resume")
            #expect(try await database.typing("worker --once").exitCode == 0)
            #expect(try database.trades(.settled) == 20)
            #expect(try database.violations() == [])
        }

        @Test func `what a worker had taken in before a pause is settled, though it stops at once`() async throws {
            // given a worker with five trades in memory, one of which waits for a lock
            let database = try await databaseWithWaitingTrades(0)
            let endpoint = Endpoint()
            let worker = try await Program.worker(
                on: database, ["--batch", "1"], intake: endpoint.name,
                environment: ["SETTLE_HEARTBEAT_INTERVAL_MILLISECONDS": "50"])
            let lock = try database.connect()
            try lock.script("begin; select from balances for update")
            try await endpoint.push(
                (1...5).map { trade("m\($0)", price: "1", quantity: "0.1", buyer: "alice", seller: "bob") })
            try await eventually("it holds all") {
                try database.count("workers where in_flight + queued = 5") == 1
            }

            // when the queue is paused and the worker is asked to stop
            try await database.expecting("queue pause")
            worker.signal(SIGTERM)
            #expect(await worker.waitFor("worker stops"))
            try lock.script("rollback")

            // then nothing of it is put off
            #expect(await worker.wait().exitCode == 0)
            #expect(try database.trades(.settled) == 5)
            #expect(try database.violations() == [])
        }

        @Test func `settling once in a pause is refused and settles nothing`() async throws {
            let database = try await databaseWithWaitingTrades(3)
            try await database.expecting("queue pause --reason night")
            let once = try await database.typing("worker --once --log-level error")
            #expect(once.exitCode == 1)
            #expect(once.errors.withoutTimes.hasPrefix("settle: the queue is paused since TIME by "), "\(once.errors)")
            #expect(once.errors.hasSuffix(": night; nothing is settled until 'settle queue resume'\n"))
            #expect(try database.trades(.pending) == 3)
            #expect(try database.count("workers") == 0)
            #expect(try database.violations() == [])
        }

        @Test(arguments: [false, true]) func `letters that are retried in a pause wait, and it is said`(
            withWorker: Bool
        ) async throws {
            let database = try await databaseWithWaitingTrades(0)
            #expect(try await database.typing("trade submit -", input: tradeLine("big", price: "5000")).exitCode == 0)
            #expect(try await database.typing("worker --once").exitCode == 0)
            try await database.expecting("deposit alice 9000 USDT --id rescue-1")
            try await database.expecting("queue pause")
            let worker = withWorker ? try await Program.worker(on: database) : nil
            let retry = try await database.typing("dlq retry --all --yes")
            #expect(retry.exitCode == 0, "\(retry.errors)")
            #expect(retry.output == "1 retried: 0 settled, 0 parked again, 1 still waiting\n")
            #expect(retry.errors.contains("the queue is paused since"), "\(retry.errors)")
            #expect(await worker?.stop().exitCode ?? 0 == 0)
            try await database.expecting("queue resume")
            #expect(try await database.typing("worker --once").exitCode == 0)
            #expect(try database.trades(.settled) == 1)
            #expect(try database.violations() == [])
        }

        @Test func `a drain says who still has something when its time is over`() async throws {
            let database = try await databaseWithWaitingTrades(3)
            let lock = try database.connect()
            try lock.script("begin; select from balances for update")
            let worker = try await Program.worker(on: database)
            try await eventually("it waits for the lock, and has said what it holds") {
                try database.count("pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()")
                    > 0 && database.value("select queued + in_flight from workers") == "3"
            }
            let drain = try await database.typing("queue drain --timeout 300ms")
            #expect(drain.exitCode == 1)
            #expect(
                drain.errors.contains("after 300ms, 1 of 1 worker still had something to do: worker "),
                "\(drain.errors)")
            #expect(drain.errors.contains("holds 3 trades"), "\(drain.errors)")
            #expect(try await database.expecting("queue status").hasPrefix("queue    pausing since "))
            try lock.script("rollback")
            #expect(try await database.typing("queue drain --timeout 30s").exitCode == 0)
            #expect(try database.trades(.settled) == 3)
            #expect(await worker.stop().exitCode == 0)
            #expect(try database.violations() == [])
        }

        @Test func `a worker that was killed holds up a pause no longer than it is taken to live`() async throws {
            let database = try await databaseWithWaitingTrades(0)
            let worker = try await Program.worker(on: database)
            worker.signal(SIGKILL)
            await worker.wait()
            // However slow the machine is: it has just been heard.
            let hasty = try await database.typing(
                "queue pause --timeout 100ms", ["SETTLE_HEARTBEAT_TIMEOUT_MILLISECONDS": "600000"])
            #expect(hasty.exitCode == 1)
            #expect(hasty.errors.contains("1 of 1 worker had not seen it: worker "), "\(hasty.errors)")
            #expect(hasty.errors.hasSuffix("The queue stays paused; 'settle queue status' shows how it goes on.\n"))
            #expect(try await database.typing("queue drain --timeout 30s", Self.impatient).exitCode == 0)
            #expect(try await database.typing("queue status", Self.impatient).output.contains("  silent  "))
            #expect(try database.violations() == [])
        }

        @Test func `a kill in a pause loses nothing that waits`() async throws {
            let database = try await databaseWithWaitingTrades(4)
            try await database.expecting("queue pause")
            let killed = try await Program.worker(on: database)
            killed.signal(SIGKILL)
            await killed.wait()
            let worker = try await Program.worker(on: database)
            try await database.expecting("queue resume")
            try await eventually("all is settled") { try database.trades(.settled) == 4 }
            #expect(await worker.stop().exitCode == 0)
            #expect(try database.violations() == [])
        }

        @Test func `a pause outlasts the database`() async throws {
            let crashing = try CrashingDatabase()
            let database = crashing.database
            try await fund(database)
            let worker = try await Program.worker(
                on: database, environment: ["SETTLE_SWEEP_INTERVAL_MILLISECONDS": "100"])
            try await database.expecting("queue pause")
            try crashing.cluster.stopImmediately()
            #expect(await worker.waitFor("sweep failed"))
            // Longer than some sweeps, which all fail and are told once.
            try await Task.sleep(for: .milliseconds(400))
            try crashing.cluster.start()
            #expect(await worker.waitFor("event=\"sweep works again\""))
            #expect(worker.errorsSoFar.matches(of: /event="sweep failed"/).count == 1, "\(worker.errorsSoFar)")
            _ = try database.connect().pipeline([TradeStore.accept(waitingTrades(2))])
            #expect(try await database.typing("queue drain --timeout 30s").exitCode == 0)
            #expect(try database.trades(.pending) == 2)
            try await database.expecting("queue resume")
            try await eventually("all is settled") { try database.trades(.settled) == 2 }
            #expect(await worker.stop().exitCode == 0)
            #expect(try database.violations() == [])
        }

        // MARK: What they work on

        private func fund(_ database: TestDatabase) async throws {
            try database.addMarket()
            try await deposit([("alice", "1000", "USDT"), ("bob", "10", "BTC")], in: database)
        }

        private func waitingTrades(_ count: Int) -> [Trade] {
            (0..<count).map { trade("t\($0)", price: "100", quantity: "1", buyer: "alice", seller: "bob") }
        }

        private func databaseWithWaitingTrades(_ count: Int) async throws -> TestDatabase {
            let database = try TestDatabase()
            try await fund(database)
            if count > 0 { _ = try database.connect().pipeline([TradeStore.accept(waitingTrades(count))]) }
            return database
        }
    }
}

extension String {
    fileprivate var lines: [Substring] { split(separator: "\n") }
}
