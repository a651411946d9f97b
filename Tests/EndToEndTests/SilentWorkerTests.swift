import Foundation
import Repository
import SettleTesting
import Testing
import TradeModel

extension Processes {
    /// Workers that fall silent without signing off, and come back in a pause.
    @Suite(.timeLimit(.minutes(5))) struct SilentWorkerTests {
        private static let impatient = ["SETTLE_HEARTBEAT_TIMEOUT_MILLISECONDS": "1500"]

        private let database: TestDatabase
        private let endpoint = Endpoint()

        init() async throws {
            database = try TestDatabase()
            try database.addMarket()
            try await deposit([("alice", "1000", "USDT"), ("bob", "10", "BTC")], in: database)
        }

        /// A worker that has received ten trades and is at the first of them, which waits for a lock.
        private func busyWorker() async throws -> (worker: Program, lock: PostgresConnection) {
            let lock = try database.connect()
            try lock.script("begin; select from balances for update")
            let worker = try await Program.worker(on: database, ["--batch", "1"], intake: endpoint.name)
            try await endpoint.push(
                (1...10).map { trade("m\($0)", price: "1", quantity: "0.1", buyer: "alice", seller: "bob") })
            try await eventually("it waits for the lock and has received the others") {
                try database.count("pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()")
                    > 0 && database.value("select queued + in_flight from workers") == "10"
            }
            return (worker, lock)
        }

        private func stopped(_ worker: Program) async throws {
            worker.signal(SIGSTOP)
            try await eventually("it has been silent for long") {
                try database.value("select heartbeat_at < clock_timestamp() - interval '2 seconds' from workers")
                    == "true"
            }
        }

        @Test func `what a silent worker holds does not settle when it comes back into a drained queue`() async throws {
            let (worker, lock) = try await busyWorker()
            try await stopped(worker)
            try lock.script("rollback")

            // The batch that it is writing may still commit, and is waited for.
            let open = try await database.typing("queue drain --timeout 500ms --reason upgrade", Self.impatient)
            #expect(open.exitCode == 1)
            #expect(open.output.contains(": 1 worker, 1 of them silent, "), "\(open.output)")
            #expect(
                open.errors.contains("after 500ms, 1 of 1 worker still had something to do: worker "), "\(open.errors)")
            #expect(open.errors.contains("pid \(worker.processID), holds 10 trades, silent for "), "\(open.errors)")
            #expect(open.errors.contains("A batch is open in the server's process "), "\(open.errors)")
            #expect(try await database.expecting("queue status").hasPrefix("queue    pausing since "))
            try database.execute(
                """
                select pg_terminate_backend(pid) from pg_stat_activity
                 where application_name = 'settle wallet' and datname = current_database()
                """)

            let drained = try await database.typing("queue drain --timeout 20s", Self.impatient)
            #expect(drained.exitCode == 0, "\(drained.errors)")
            #expect(
                drained.errors.hasPrefix("Shut out; what it holds is stored when it comes back: worker "),
                "\(drained.errors)")
            #expect(
                try await database.typing("queue status", Self.impatient).output.hasPrefix("queue    paused since "))
            #expect(try await database.typing("queue pause", Self.impatient).exitCode == 0)

            worker.signal(SIGCONT)
            #expect(await worker.waitFor("event=\"queue is paused\""))
            try await eventually("it holds nothing any more") {
                try database.value("select state from workers") == "paused"
            }
            #expect(try database.trades(.settled) == 0)
            #expect(try database.trades(.pending) == 10)

            try await database.expecting("queue resume")
            try await eventually("all is settled") { try database.trades(.settled) == 10 }
            #expect(await worker.stop().exitCode == 0)
            #expect(try database.violations() == [])
        }

        @Test func `a pause shuts a silent worker out, and says which`() async throws {
            let worker = try await Program.worker(on: database, intake: endpoint.name)
            try await eventually("it is known") { try database.count("workers where seen_revision = 0") == 1 }
            try await stopped(worker)
            let paused = try await database.typing("queue pause --timeout 20s", Self.impatient)
            #expect(paused.exitCode == 0, "\(paused.errors)")
            #expect(paused.output.hasPrefix("the queue is paused: 1 worker, 1 of them silent, "), "\(paused.output)")
            #expect(paused.errors.contains("pid \(worker.processID), holds 0 trades, silent for "), "\(paused.errors)")
            #expect(
                try await database.typing("queue status --json", Self.impatient).output.contains("\"sealed\": true"))

            // What it takes before it has seen the pause is stored.
            worker.signal(SIGCONT)
            async let pushed: Void = endpoint.push([
                trade("m1", price: "1", quantity: "0.1", buyer: "alice", seller: "bob")
            ])
            #expect(await worker.waitFor("event=\"queue is paused\""))
            _ = try await pushed
            #expect(await worker.stop().exitCode == 0)
            #expect(try database.trades(.pending) == 1)
            try await database.expecting("queue resume")
            #expect(try database.value("select sealed from queue_control") == "false")
            #expect(try await database.typing("worker --once").exitCode == 0)
            #expect(try database.trades(.settled) == 1)
            #expect(try database.violations() == [])
        }
    }
}
