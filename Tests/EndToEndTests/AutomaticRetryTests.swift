import Foundation
import SettleTesting
import Testing

extension Processes {
    /// Dead letters that may heal by themselves, retried by workers where that is configured.
    @Suite(.timeLimit(.minutes(5))) struct AutomaticRetryTests {
        private static let settings = [
            "SETTLE_LETTER_RETRY_CLASSES": "queue_full,insufficient_funds", "SETTLE_LETTER_RETRY_INTERVAL_SECONDS": "1",
            "SETTLE_LETTER_RETRY_BACKOFF_SECONDS": "1", "SETTLE_LETTER_RETRY_ATTEMPTS_MAX": "2",
        ]

        /// One letter for want of money, one for want of an account.
        private func databaseWithLetters() async throws -> TestDatabase {
            let database = try TestDatabase()
            try await database.fund()
            let lines = tradeLine("poor", price: "1500") + tradeLine("lost", buyer: "nobody")
            _ = try await database.typing("trade submit", input: lines)
            try await database.expecting("worker --once --log-level error")
            #expect(try database.count("dead_letters where status = 'open'") == 2)
            return database
        }

        private func history(_ database: TestDatabase, _ trade: String) throws -> String {
            try database.value(
                """
                select string_agg(action || case actor when 'automatic' then ' ' || a.message else '' end, ', '
                                  order by number)
                  from dead_letters join dead_letter_attempts a using (letter_no) where trade_id = '\(trade)'
                """)
        }

        @Test func `a letter is retried so often and no more, and its history says so`() async throws {
            let database = try await databaseWithLetters()
            let workers = [
                try await Program.worker(on: database, environment: Self.settings),
                try await Program.worker(on: database, environment: Self.settings),
            ]
            let expected = "parked, retried retry 1 of 2, parked, retried retry 2 of 2, parked"
            try await eventually("its retries are spent") { try history(database, "poor") == expected }
            #expect(try database.value("select auto_due_at from dead_letters where trade_id = 'poor'") == "infinity")
            #expect(try history(database, "lost") == "parked")
            for worker in workers { #expect(await worker.stop().exitCode == 0) }
            #expect(try history(database, "poor") == expected)
            #expect(try database.violations() == [])
        }

        @Test func `a letter settles once the money is there, and by itself`() async throws {
            let database = try await databaseWithLetters()
            try await database.expecting("deposit alice 500 USDT --id d1")
            let worker = try await Program.worker(on: database, environment: Self.settings)
            try await eventually("it is settled") { try database.trades(.settled) == 1 }
            #expect(try history(database, "poor") == "parked, retried retry 1 of 2")
            #expect(try await database.expecting("dlq show 1").contains("retried by automatic: retry 1 of 2\n"))
            #expect(await worker.stop().exitCode == 0)
            #expect(try database.violations() == [])
        }

        @Test func `nothing is retried unless it is asked for, and what was edited is left to operators`() async throws
        {
            let database = try await databaseWithLetters()
            try await database.expecting("deposit alice 500 USDT --id d1")
            let idle = try await Program.worker(
                on: database, environment: ["SETTLE_LETTER_RETRY_INTERVAL_SECONDS": "1"])
            try database.execute(
                "insert into trades (market, trade_id, price, quantity, buyer_id, seller_id) values ('BTC/USDT', 'x', 1, 1, 'alice', 'bob')"
            )
            try await eventually("it works") { try database.trades(.settled) == 1 }
            #expect(await idle.stop().exitCode == 0)
            #expect(try history(database, "poor") == "parked")

            try await database.running(["dlq", "edit", "1", "--set", "price=1", "--reason", "x"])
            let other = tradeLine("also", price: "1600")
            let worker = try await Program.worker(on: database, environment: Self.settings)
            _ = try await database.typing("trade submit", input: other)
            try await eventually("the other one is retried") { try history(database, "also").contains("retry 1 of 2") }
            #expect(try history(database, "poor") == "parked, edited")
            #expect(await worker.stop().exitCode == 0)
            #expect(try database.violations() == [])
        }

        @Test func `what is not a class that heals is refused`() async throws {
            let database = try TestDatabase()
            let result = try await database.typing("worker --once", ["SETTLE_LETTER_RETRY_CLASSES": "conflict"])
            #expect(result.exitCode == 64)
            #expect(
                result.errors.contains(
                    "SETTLE_LETTER_RETRY_CLASSES: expected any of queue_full, retries_exhausted, insufficient_funds"))
        }
    }
}
