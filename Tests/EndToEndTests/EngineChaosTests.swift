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
    @Suite(.timeLimit(.minutes(10))) struct EngineChaosTests {
        private static let accountCount = 12

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

        private static func command(_ action: EngineCommand.Action) -> [UInt8] {
            EngineCommand(time: Timestamp(microseconds: 0), action).bytes
        }

        private static let opening: [[UInt8]] = {
            let fees = [TradingFees(maker: -100, taker: 500)]
            var commands: [EngineCommand.Action] = [
                .listAsset(symbol: AssetSymbol("BTC")!, decimals: 8),
                .listAsset(symbol: AssetSymbol("USDT")!, decimals: 6),
                .listMarket(
                    MarketListing(
                        symbol: MarketSymbol("BTC/USDT")!, tick: DecimalNumber("0.01")!, lot: DecimalNumber("0.0001")!,
                        quantityMin: DecimalNumber("0.0001")!, quantityMax: DecimalNumber("1000")!,
                        priceMax: DecimalNumber("1000000")!, feeRule: .received, selfTradeRule: .cancelNewest,
                        fees: fees)),
            ]
            for account in 1...accountCount {
                for (asset, amount) in [("BTC", "100"), ("USDT", "1000000")] {
                    commands.append(
                        .deposit(
                            Transfer(
                                key: Identifier("open-\(account)-\(asset)")!, account: Identifier("\(1000 + account)")!,
                                asset: AssetSymbol(asset)!, amount: DecimalNumber(amount)!)))
                }
            }
            return commands.map(command)
        }()

        private static func order(_ number: Int, _ generator: inout SeededGenerator) -> [UInt8] {
            let account = Identifier("\(1000 + Int.random(in: 1...accountCount, using: &generator))")!
            if Int.random(in: 0..<10, using: &generator) < 3 {
                let earlier = max(1, number - Int.random(in: 1...60, using: &generator))
                return command(.cancel(account: account, order: .number(UInt64(earlier))))
            }
            let cents = Int.random(in: 4_990_000...5_010_000, using: &generator)
            let lots = Int.random(in: 1...500, using: &generator)
            return command(
                .place(
                    OrderRequest(
                        account: account, clientOrderID: Identifier("c-\(number)"), market: MarketSymbol("BTC/USDT")!,
                        side: Bool.random(using: &generator) ? .buy : .sell,
                        timeInForce: Int.random(in: 0..<10, using: &generator) == 0
                            ? .immediateOrCancel : .goodTillCancelled,
                        price: DecimalNumber(Int128(cents), scale: 2), quantity: DecimalNumber(Int128(lots), scale: 4)))
            )
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
            _ = try await venue.client().carryOut(Self.opening)

            // when
            var number = Self.opening.count
            for round in 1...6 {
                let client = try venue.client()
                for _ in 0..<10 {
                    let commands = (0..<60).map { Self.order(number + $0, &generator) }
                    number += try await client.carryOut(commands).count
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
            for account in 1...Self.accountCount {
                for asset in ["BTC", "USDT"] {
                    let there = try await venue.answer(
                        .balance(Identifier("\(1000 + account)")!, AssetSymbol(asset)!)
                    ).balance
                    let here = try database.value(
                        """
                        select available || ' ' || frozen from account_balances
                         where account = '\(1000 + account)' and asset = '\(asset)'
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
            _ = try await venue.client().carryOut(Self.opening)
            try await eventually("it is settled") { try watermark(database) == Int64(Self.opening.count) }
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
