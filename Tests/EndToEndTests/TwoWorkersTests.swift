import Repository
import SettleTesting
import Testing
import TradeFeed
import TradeModel

extension Processes {
    /// Two processes at once on the same accounts, and PENDING rows on their way to one of them.
    @Suite(.timeLimit(.minutes(5))) struct TwoWorkersTests {
        @Test func `two processes on the same accounts both settle, and neither starves`() async throws {
            let seed = UInt64.random(in: 1...999_999)
            print("seed \(seed)")
            let database = try TestDatabase()
            let load = TradeLoad(6_000, accounts: 6, hotShare: 80, seed: seed)
            try await load.prepare(database)
            let endpoints = [Endpoint(), Endpoint()]
            let first = try await Program.worker(on: database, ["--batch", "50"], intake: endpoints[0].name)
            let second = try await Program.worker(on: database, ["--batch", "50"], intake: endpoints[1].name)
            async let one: Void = endpoints[0].push(load.trades.prefix(3_000), inMessagesOf: 100)
            async let two: Void = endpoints[1].push(load.trades.suffix(3_000), inMessagesOf: 100)
            _ = try await (one, two)
            try await eventually("all is settled") { try database.trades(.settled) == 6_000 }
            for worker in [first, second] { #expect(await worker.stop().exitCode == 0) }

            #expect(
                try database.value(
                    "select string_agg(trades::text, ' ') from (select sum(trades) trades from batches where trades > 0 "
                        + "group by worker_no) w") == "3000 3000")
            // They ran beside each other: each committed while the other had not finished.
            let overlapping = try database.value(
                """
                select max(first) < min(last) from (
                    select min(committed_at) as first, max(committed_at) as last
                      from batches where trades > 0 group by worker_no) spans
                """)
            #expect(overlapping == "true")
            try expectSettledOnce(load, in: database)
        }

        @Test func `a PENDING trade spends what an older one in another process brings`() async throws {
            let database = try TestDatabase()
            try database.addMarket()
            try await deposit([("alice", "100", "USDT"), ("bob", "1", "BTC")], in: database)
            _ = try await database.wallet().settle([item(operation("c", "carol", "100", "USDT"))])
            // Alice has no BTC until the first trade; then she sells it on to Carol.
            let older = trade("older", price: "100", quantity: "1", buyer: "alice", seller: "bob")
            let younger = trade("younger", price: "100", quantity: "1", buyer: "carol", seller: "alice")
            let connection = try database.connect()
            try connection.query(TradeStore.accept([older, younger]))

            // The older one is claimed by a process that has not come to it yet; the younger one by a worker.
            let elsewhere = try WorkerIdentity.register(on: connection, version: "test").number
            let claimed = TradeStore.decode(
                try connection.query(
                    TradeStore.claim(worker: elsewhere, limit: 1, heartbeatTimeoutMilliseconds: 60_000)))
            #expect(claimed.map(\.key.id.text) == ["older"])
            let environment = ["SETTLE_SWEEP_INTERVAL_MILLISECONDS": "50", "SETTLE_DEFERRAL_MILLISECONDS": "50"]
            let worker = try await Program.worker(on: database, ["--log-level", "debug"], environment: environment)
            #expect(await worker.waitFor("event=deferred"))
            #expect(try database.count("dead_letters") == 0)
            // The other process dies; its claim comes back and both settle.
            try connection.query(WorkerStore.leave(elsewhere))
            try await eventually("both are settled") { try database.trades(.settled) == 2 }
            #expect(await worker.stop().exitCode == 0)
            #expect(try database.available("alice", "USDT") == "100.000000")
            #expect(try database.count("dead_letters") == 0)
            #expect(try database.violations() == [])
        }

        @Test func `chains of PENDING trades settle whoever claims which of them`() async throws {
            let database = try TestDatabase()
            try database.addMarket()
            // One coin goes from hand to hand, so each trade needs the one before it.
            let count = 60
            let names = (0...count).map { "hand-\($0)" }
            try await deposit(names.map { ($0, "10", "USDT") } + [("hand-0", "1", "BTC")], in: database)
            let environment = [
                "SETTLE_SWEEP_INTERVAL_MILLISECONDS": "20", "SETTLE_DEFERRAL_MILLISECONDS": "10",
                "SETTLE_QUEUE_CAPACITY": "3",
            ]
            let first = try await Program.worker(on: database, ["--batch", "3"], environment: environment)
            let second = try await Program.worker(on: database, ["--batch", "3"], environment: environment)
            let chain = (0..<count).map {
                trade("t\($0)", price: "10", quantity: "1", buyer: names[$0 + 1], seller: names[$0])
            }
            _ = try database.connect().pipeline([TradeStore.accept(chain)])
            try await eventually("nothing is PENDING") { try database.trades(.pending) == 0 }
            for worker in [first, second] { #expect(await worker.stop().exitCode == 0) }
            #expect(try database.trades(.settled) == count)
            #expect(try database.available(names[count], "BTC") == "1.00000000")
            #expect(try database.violations() == [])
        }

        @Test func `a PENDING trade that also arrives over ZeroMQ settles once`() async throws {
            let seed = UInt64.random(in: 1...999_999)
            print("seed \(seed)")
            let database = try TestDatabase()
            let load = TradeLoad(2_000, accounts: 10, seed: seed)
            try await load.prepare(database)
            let endpoint = Endpoint()
            let worker = try await Program.worker(on: database, intake: endpoint.name)
            async let pushed: Void = endpoint.push(load.trades.reversed(), inMessagesOf: 20)
            async let stored: Void = store(load, in: database)
            _ = try await (pushed, stored)
            try await eventually("all is settled") {
                try database.trades(.settled) == 2_000 && database.trades(.pending) == 0
            }
            #expect(await worker.stop().exitCode == 0)
            try expectSettledOnce(load, in: database)
        }

        private func store(_ load: TradeLoad, in database: TestDatabase) async throws {
            for start in stride(from: 0, to: load.trades.count, by: 100) {
                try load.store(load.trades[start..<start + 100], in: database)
            }
        }

        @Test func `a claim whose answer was lost is taken up again by the worker that made it`() async throws {
            let database = try TestDatabase()
            try await prepareOneTrade(database)
            let worker = try await Program.worker(on: database)
            try await eventually("it is registered") { try database.count("workers") == 1 }
            // As if it had claimed the row and its connection had broken before it was told.
            try database.execute(
                """
                \(insertOneTrade.replacing(");", with: ", (select max(worker_no) from workers));")
                .replacing("seller_id)", with: "seller_id, claimed_by)"));
                select pg_terminate_backend(pid) from pg_stat_activity
                 where application_name = 'settle worker' and datname = current_database();
                """)
            try await eventually("it is settled") { try database.trades(.settled) == 1 }
            #expect(await worker.stop().exitCode == 0)
            #expect(try database.violations() == [])
        }

        @Test func `a claim that commits after its worker gave up waiting is taken up by that worker`() async throws {
            // given a server whose first claim takes longer to commit than the worker waits for an answer
            let database = try TestDatabase()
            try await prepareOneTrade(database)
            try database.execute(
                """
                create sequence claims;
                create function be_slow() returns trigger language plpgsql as
                    $$ begin if nextval('claims') = 1 then perform pg_sleep(9); end if; return null; end $$;
                create constraint trigger slow after update of claimed_by on trades deferrable initially deferred
                    for each row when (new.claimed_by is not null) execute function be_slow();
                """)
            let worker = try await Program.worker(
                on: database,
                environment: [
                    "SETTLE_STATEMENT_TIMEOUT_MILLISECONDS": "1000", "SETTLE_SWEEP_INTERVAL_MILLISECONDS": "200",
                ])

            // when
            try database.execute(insertOneTrade)
            #expect(await worker.waitFor("sweep failed", timeout: .seconds(60)))

            // then
            try await eventually("it is settled", timeout: .seconds(60)) { try database.trades(.settled) == 1 }
            #expect(await worker.stop().exitCode == 0)
            #expect(try database.violations() == [])
        }

        @Test func `a row that nobody announces is found by the timer`() async throws {
            let database = try TestDatabase()
            try await prepareOneTrade(database)
            let worker = try await Program.worker(
                on: database, environment: ["SETTLE_SWEEP_INTERVAL_MILLISECONDS": "300"])
            try database.execute(
                "alter table trades_1 disable trigger waiting_is_announced; \(insertOneTrade)")
            try await eventually("it is settled") { try database.trades(.settled) == 1 }
            #expect(await worker.stop().exitCode == 0)
            #expect(try database.violations() == [])
        }

        @Test func `a row that is announced does not wait for the timer`() async throws {
            let database = try TestDatabase()
            try await prepareOneTrade(database)
            let worker = try await Program.worker(
                on: database, environment: ["SETTLE_SWEEP_INTERVAL_MILLISECONDS": "3600000"])
            // The first look is at the start; only what comes after it depends on being told.
            try await eventually("it listens") {
                try database.count("pg_stat_activity where datname = current_database() and query like '%trades%'") > 0
            }
            try database.execute(insertOneTrade)
            try await eventually("it is settled") { try database.trades(.settled) == 1 }
            #expect(await worker.stop().exitCode == 0)
            #expect(try database.violations() == [])
        }

        private func prepareOneTrade(_ database: TestDatabase) async throws {
            try database.addMarket()
            try await deposit([("alice", "100", "USDT"), ("bob", "1", "BTC")], in: database)
        }

        private let insertOneTrade = """
            insert into trades (market, trade_id, price, quantity, buyer_id, seller_id)
            values ('BTC/USDT', 'by-hand', 100, 0.5, 'alice', 'bob');
            """
    }
}
