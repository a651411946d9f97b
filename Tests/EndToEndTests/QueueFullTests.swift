import Repository
import SettleTesting
import Testing
import TradeModel

extension Processes {
    /// A worker whose queue is full, and that was told not to hold its senders back.
    @Suite(.timeLimit(.minutes(5))) struct QueueFullTests {
        private static let short = ["--queue-size", "2", "--batch", "1", "--concurrency", "2", "--connections", "2"]

        @Test(arguments: [["--when-full", "park"], []])
        func `what has no room is parked, and settles when it is retried`(
            flags: [String]
        ) async throws {
            let database = try TestDatabase()
            try await database.fund()
            let lock = try database.connect()
            try lock.script("begin; select from balances for update")
            let endpoint = Endpoint()
            let worker = try await Program.worker(
                on: database, Self.short + flags, intake: endpoint.name,
                environment: flags.isEmpty ? ["SETTLE_WHEN_FULL": "park"] : [:])
            let trades = (1...12).map { trade("t\($0)", price: "1", quantity: "0.1", buyer: "alice", seller: "bob") }
            try await endpoint.push(trades)
            // One is being settled, one follows it, two wait.
            try await eventually("the others are parked") {
                try database.count("dead_letters where class = 'queue_full' and status = 'open'") == 8
            }
            try lock.script("rollback")
            try await eventually("the first are settled") { try database.trades(.settled) == 4 }
            #expect(
                try database.value(
                    "select string_agg(trade_id, ' ' order by received_seq) from trades where status = 'SETTLED'")
                    == "t1 t2 t3 t4")
            #expect(
                try database.value("select distinct message from dead_letters")
                    == "the queue was full: 2 were waiting in the worker")
            #expect(worker.errorsSoFar.contains("class=queue_full"))

            // The same again has no effect, whether it was settled or parked.
            for trade in trades { try await endpoint.push([trade]) }
            #expect(await worker.stop().exitCode == 0)
            #expect(try database.count("dead_letters") == 8)
            #expect(try database.trades(.settled) == 4)
            let retry = try await database.typing("dlq retry --class queue_full --yes")
            #expect(retry.output == "8 retried: 8 settled, 0 parked again, 0 still waiting\n", "\(retry.errors)")
            #expect(
                try database.value(
                    "select string_agg(cause_id, ' ' order by batch_no, place) from ledger_entries "
                        + "where kind = 'trade' and available_delta < 0 and asset_no = 1")
                    == (1...12).map { "t\($0)" }.joined(separator: " "))
            #expect(try database.available("bob", "BTC") == "8.80000000")
            #expect(try database.violations() == [])
        }

        @Test func `by default the sender is held back and nothing is parked`() async throws {
            let database = try TestDatabase()
            try await database.fund()
            let lock = try database.connect()
            try lock.script("begin; select from balances for update")
            let endpoint = Endpoint()
            let worker = try await Program.worker(on: database, Self.short, intake: endpoint.name)
            try await endpoint.push(
                (1...12).map { trade("t\($0)", price: "1", quantity: "0.1", buyer: "alice", seller: "bob") })
            try await eventually("one waits for the lock") {
                try database.count("pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()")
                    > 0
            }
            try lock.script("rollback")
            try await eventually("all is settled") { try database.trades(.settled) == 12 }
            #expect(await worker.stop().exitCode == 0)
            #expect(try database.count("dead_letters") == 0)
            #expect(try database.violations() == [])
        }

        @Test func `anything but wait and park is refused`() async throws {
            let result = try await TestDatabase().typing("worker --once --when-full drop")
            #expect(result.exitCode == 64 && result.errors.contains("park"), "\(result.errors)")
        }
    }
}
