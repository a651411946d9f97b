import Foundation
import Repository
import ServiceKit
import SettleTesting
import Testing
import TradeFeed
import TradeModel

extension Processes {
    /// Dead letters brought back once what was missing has arrived.
    @Suite(.timeLimit(.minutes(5))) struct LetterRetryTests {
        @Test(arguments: [false, true]) func `what can be settled after a deposit is, the rest keeps its history`(
            withWorker: Bool
        ) async throws {
            let database = try await databaseWithLetters()
            let worker = withWorker ? try await Program.worker(on: database) : nil
            // Money for three of the five that lack it.
            try await deposit([("poor", "300", "USDT")], in: database)
            let retry = try await Program.run(on: database, "dlq", "retry", "--all", "--yes", "--reason", "money came")
            #expect(retry.exitCode == 1, "\(retry.errors)")
            #expect(retry.output == "7 retried: 3 settled, 4 parked again, 0 still waiting\n", "\(retry.output)")
            #expect(try settledIDs(database) == "p1 p2 p3")

            // Again: nothing to gain, and no harm done.
            let again = try await Program.run(on: database, "dlq", "retry", "--all", "--yes")
            #expect(again.output == "4 retried: 0 settled, 4 parked again, 0 still waiting\n", "\(again.output)")
            #expect(
                try database.value(
                    """
                    select string_agg(trade_id || ': ' || history, '; ' order by trade_id) from (
                        select trade_id, string_agg(action || coalesce(' ' || a.class, ''), ', ' order by number) as history
                          from dead_letters join dead_letter_attempts a using (letter_no)
                         where status = 'open' and trade_id is not null group by letter_no) h
                    """)
                    == "lost: parked unknown_account, retried, parked unknown_account, retried, parked unknown_account; "
                    + "p4: parked insufficient_funds, retried, parked insufficient_funds, retried, "
                    + "parked insufficient_funds; "
                    + "p5: parked insufficient_funds, retried, parked insufficient_funds, retried, parked insufficient_funds"
            )

            // What else was missing arrives.
            try await deposit([("nobody", "1", "BTC")], in: database)
            _ = try await database.wallet().settle([item(operation("more", "poor", "200", "USDT"))])
            let last = try await Program.run(on: database, "dlq", "retry", "--all", "--yes")
            #expect(last.output == "4 retried: 3 settled, 1 parked again, 0 still waiting\n", "\(last.output)")
            let finished = try await Program.run(on: database, "dlq", "list", "--status", "retried", "--json")
            #expect(finished.exitCode == 0)
            #expect(try database.count("dead_letters where status = 'open'") == 1)
            #expect(try database.trades(.settled) == 6)
            if let worker { #expect(await worker.stop().exitCode == 0) }
            #expect(try database.available("poor", "USDT") == "0.000000")
            #expect(try database.violations() == [])
        }

        @Test func `letters that are retried by two operators at once settle once`() async throws {
            let (database, endpoint, worker, load) = try await databaseWithManyLetters()
            try await load.deposit(in: database)
            async let first = Program.run(on: database, "dlq", "retry", "--all", "--yes")
            async let second = Program.run(on: database, "dlq", "retry", "--class", "unknown_account", "--yes")
            // The engine repeats everything meanwhile.
            async let repeated: Void = endpoint.push(load.trades.reversed(), inMessagesOf: 7)
            let results = try await (first, second, repeated)
            #expect(results.0.exitCode == 0, "\(results.0.output)\(results.0.errors)")
            #expect(results.1.exitCode == 0, "\(results.1.output)\(results.1.errors)")
            try await eventually("all is settled") { try database.trades(.settled) == load.trades.count }
            #expect(await worker.stop().exitCode == 0)
            #expect(try database.count("dead_letters") == load.trades.count)
            #expect(try database.count("dead_letters where status <> 'retried'") == 0)
            #expect(try database.count("dead_letter_attempts") == 2 * load.trades.count)
            #expect(try load.wrongBalances(in: database) == [])
            #expect(try database.deadlocks() == 0)
            #expect(try database.violations() == [])
        }

        @Test func `a trade that waited for its market settles once the market is there`() async throws {
            let database = try await fundedDatabase()
            let early = trade("early", price: "100", quantity: "1", buyer: "alice", seller: "bob")
            let text = String(decoding: WireEncoder.encode(early), as: UTF8.self).replacing("BTC/USDT", with: "BTC-EUR")
            #expect(try await Program.run(on: database, "trade", "submit", input: text + "\n").exitCode == 1)
            #expect(try database.value("select class from dead_letters") == "unknown_market")
            for arguments in [["asset", "add", "EUR", "--decimals", "2"], ["market", "add", "BTC/EUR"]] {
                let added = try await Program(arguments, environment: ["DATABASE_URL": database.connectionString])
                    .wait()
                #expect(added.exitCode == 0, "\(added.errors)")
            }
            try await deposit([("alice", "100", "EUR")], in: database)
            let retry = try await Program.run(on: database, "dlq", "retry", "1")
            #expect(retry.output == "1 retried: 1 settled, 0 parked again, 0 still waiting\n", "\(retry.errors)")
            #expect(try database.available("bob", "EUR") == "100.00")
            #expect(try database.violations() == [])
        }

        @Test func `a retry does not wait for a halted market, and says what does`() async throws {
            let database = try await databaseWithLetters()
            try await deposit([("poor", "500", "USDT")], in: database)
            try await database.expecting("market halt BTC/USDT --reason prices")
            let start = ContinuousClock.now
            let retry = try await database.typing("dlq retry --class insufficient_funds --yes")
            #expect(retry.exitCode == 0, "\(retry.errors)")
            #expect(retry.output == "5 retried: 0 settled, 0 parked again, 5 still waiting\n")
            #expect(retry.errors.contains(": prices. Next: settle market resume BTC/USDT --reason '…'\n"))
            // As long as it would wait for a worker.
            #expect(ContinuousClock.now - start < .seconds(30))
            try await database.expecting("market resume BTC/USDT --reason mended")
            try await database.expecting("worker --once --log-level error")
            #expect(try database.count("dead_letters where status <> 'retried'") == 2)
            #expect(try database.violations() == [])
        }

        @Test func `a retry is settled here when the worker that seemed to live is dead`() async throws {
            let database = try await databaseWithLetters()
            let environment = ["SETTLE_HEARTBEAT_TIMEOUT_MILLISECONDS": "1000"]
            let worker = try await Program.worker(on: database, environment: environment)
            try await eventually("it is registered") { try database.count("workers") == 1 }
            worker.signal(SIGKILL)
            _ = await worker.wait()
            try await deposit([("poor", "500", "USDT")], in: database)
            let retry = try await Program.run(
                on: database, "dlq", "retry", "--class", "insufficient_funds", "--yes", environment: environment)
            #expect(retry.output == "5 retried: 5 settled, 0 parked again, 0 still waiting\n", "\(retry.errors)")
            #expect(try database.violations() == [])
        }

        @Test func `a bulk retry keeps to its rate, stops at a signal, and goes on when it is repeated`() async throws {
            let database = try await fundedDatabase()
            // At the rate below they take half a minute: the signal comes in time.
            let count = 600
            let lines = (1...count).map { trade("n\($0)", price: "1", quantity: "0.01", buyer: "late", seller: "bob") }
            let submitted = try await Program.run(
                on: database, "trade", "submit",
                input: lines.map { String(decoding: WireEncoder.encode($0), as: UTF8.self) + "\n" }.joined())
            #expect(submitted.exitCode == 0)
            #expect(try await Program.run(on: database, "worker", "--once").exitCode == 0)
            try await deposit([("late", "100", "USDT")], in: database)
            let worker = try await Program.worker(on: database)
            let start = ContinuousClock.now
            let retry = try Program(
                ["dlq", "retry", "--all", "--yes", "--rate", "20/s"],
                environment: ["DATABASE_URL": database.connectionString])
            try await eventually("some are settled") { try database.trades(.settled) >= 10 }
            retry.signal(SIGINT)
            let result = await retry.wait()
            let settled = try database.trades(.settled)
            #expect(ContinuousClock.now - start > .milliseconds(300))
            #expect(result.exitCode == 0, "\(result.errors)")
            #expect(result.output == "\(settled) retried: \(settled) settled, 0 parked again, 0 still waiting\n")
            #expect(
                result.errors
                    == "stopped before \(count - settled) dead letters; the same command goes on from there\n")
            // The oldest came first.
            #expect(
                try database.value(
                    "select count(*) from trades where status = 'SETTLED' and substr(trade_id, 2)::int > \(settled)")
                    == "0")
            let rest = try await Program.run(on: database, "dlq", "retry", "--all", "--yes")
            #expect(
                rest.output
                    == "\(count - settled) retried: \(count - settled) settled, 0 parked again, 0 still waiting\n")
            #expect(await worker.stop().exitCode == 0)
            #expect(try database.violations() == [])
        }

        /// Five trades that lack money, one of an unknown account, and one message that nobody can read.
        private func databaseWithLetters() async throws -> TestDatabase {
            let database = try await fundedDatabase()
            try await deposit([("poor", "1", "BTC")], in: database)
            let trades =
                (1...5).map { trade("p\($0)", price: "100", quantity: "1", buyer: "poor", seller: "bob") }
                + [trade("lost", price: "100", quantity: "0.01", buyer: "alice", seller: "nobody")]
            let lines = trades.map { String(decoding: WireEncoder.encode($0), as: UTF8.self) } + ["what is this"]
            let submitted = try await Program.run(
                on: database, "trade", "submit", input: lines.joined(separator: "\n") + "\n")
            #expect(submitted.output == "6 accepted, 0 duplicates, 1 refused\n")
            #expect(try await Program.run(on: database, "worker", "--once").exitCode == 0)
            #expect(try database.count("dead_letters where status = 'open'") == 7)
            return database
        }

        private func settledIDs(_ database: TestDatabase) throws -> String {
            try database.value(
                "select string_agg(trade_id, ' ' order by trade_id) from trades where status = 'SETTLED'")
        }

        /// Hundreds of letters of trades whose accounts are not there yet, and a running worker.
        private func databaseWithManyLetters() async throws -> (TestDatabase, Endpoint, Program, TradeLoad) {
            let seed = UInt64.random(in: 1...999_999)
            print("seed \(seed)")
            let database = try TestDatabase()
            try database.addMarket()
            let load = TradeLoad(800, accounts: 10, seed: seed)
            let endpoint = Endpoint()
            let worker = try await Program.worker(on: database, intake: endpoint.name)
            try await endpoint.push(load.trades, inMessagesOf: 100)
            try await eventually("all is parked") { try database.trades(.failed) == load.trades.count }
            return (database, endpoint, worker, load)
        }
    }
}
