import EngineHost
import Foundation
import Repository
import ServiceKit
import SettleTesting
import Testing
import TradeFeed
import TradeModel

extension Processes {
    /// Orders through the engine, its feed and the workers into PostgreSQL, with real processes that are killed.
    @Suite(.timeLimit(.minutes(5))) struct EngineChaosTests {
        /// The engine and where to find it.
        private struct Venue {
            let folder: String
            let orders: Endpoint
            let feed: Endpoint

            init() throws {
                folder = FileManager.default.temporaryDirectory.path + "/engine-\(UUID().uuidString)"
                orders = Endpoint()
                feed = Endpoint()
            }

            func start() async throws -> Program {
                let engine = try Program([
                    "engine", "--wal", folder, "--orders", orders.name, "--feed", feed.name,
                ])
                guard await engine.waitFor("engine started") else {
                    throw WaitedInVain(
                        description: "the engine did not start: \(await engine.wait(timeout: .zero).errors)")
                }
                return engine
            }

            func client() throws -> EntryClient { try EntryClient(endpoint: orders.name) }

            func answer(_ query: EngineQuery) async throws -> EngineAnswer {
                let json = try await client().query(Array(JSONEncoder().encode(query)))
                return try JSONDecoder().decode(EngineAnswer.self, from: Data(json))
            }
        }

        private func worker(_ database: TestDatabase, _ venue: Venue) async throws -> Program {
            try await Program.worker(
                on: database, ["--feed", venue.feed.name],
                environment: [
                    "SETTLE_HEARTBEAT_TIMEOUT_MILLISECONDS": "500", "SETTLE_HEARTBEAT_INTERVAL_MILLISECONDS": "100",
                ])
        }

        private func watermark(_ database: TestDatabase) throws -> Int64 {
            Int64(try database.value("select coalesce(max(watermark), 0) from feed_state")) ?? -1
        }

        @Test func `the engine and the workers are killed by turns, and both end at the same balances`() async throws {
            let seed = UInt64.random(in: 1...999_999)
            print("seed \(seed)")
            var generator = SeededGenerator(seed: seed)
            // given
            let database = try TestDatabase()
            let venue = try Venue()
            defer { try? FileManager.default.removeItem(atPath: venue.folder) }
            var engine = try await venue.start()
            var workers = [try await worker(database, venue), try await worker(database, venue)]
            _ = try await venue.client().carryOut(OrderFlow.opening)

            // when
            var flow = OrderFlow(seed: seed)
            var number = OrderFlow.opening.count
            for round in 1...6 {
                let client = try venue.client()
                for _ in 0..<10 {
                    number += try await client.carryOut(flow.next(60)).count
                }
                if round % 2 == 0 {
                    engine.signal(SIGKILL)
                    await engine.wait()
                    engine = try await venue.start()
                } else {
                    let victim = workers.remove(at: Int.random(in: 0..<workers.count, using: &generator))
                    victim.signal(SIGKILL)
                    await victim.wait()
                    workers.append(try await worker(database, venue))
                }
            }
            let end = try await venue.answer(.status)
            #expect(end.sequence == number && end.trades > 300)
            try await eventually("all is settled") { try watermark(database) == end.sequence }

            // then
            #expect(try database.value("select encode(hash, 'hex') from feed_state") == end.hash)
            #expect(try database.trades(.settled) == end.trades)
            #expect(try database.count("dead_letters") == 0)
            for account in OrderFlow.accounts {
                for asset in OrderFlow.assets {
                    let there = try await venue.answer(.balance(account, asset)).balance
                    let here = try database.value(
                        """
                        select available || ' ' || frozen from account_balances
                         where account = '\(account)' and asset = '\(asset)'
                        """)
                    #expect(here == there.map { "\($0.available) \($0.held)" })
                }
            }
            for program in workers + [engine] { #expect(await program.stop().exitCode == 0) }
            #expect(try database.violations() == [])
        }

        @Test func `without a log on disk an engine that starts anew is not taken for the old one`() async throws {
            let database = try TestDatabase()
            let venue = try Venue()
            func start() async throws -> Program {
                let engine = try Program([
                    "engine", "--no-wal", "--orders", venue.orders.name, "--feed", venue.feed.name,
                ])
                #expect(await engine.waitFor("engine started"))
                return engine
            }
            var engine = try await start()
            let worker = try await worker(database, venue)
            _ = try await venue.client().carryOut(OrderFlow.opening)
            try await eventually("it is settled") { try watermark(database) == Int64(OrderFlow.opening.count) }
            engine.signal(SIGKILL)
            await engine.wait()

            engine = try await start()
            try await eventually("the stream is halted") {
                try database.value("select halted_for from feed_state").contains("lost records")
            }
            #expect(await worker.waitFor("the feed is halted"))
            for program in [worker, engine] { #expect(await program.stop().exitCode == 0) }
            #expect(try database.violations() == [])
        }
    }
}
