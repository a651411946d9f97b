import HashChain
import Repository
import ServiceKit
import SettleTesting
import SettlementWorkers
import Testing
import TradeFeed
import TradeModel

/// An engine's output that is kept whole, with a way to it that breaks now and then.
private final class StoredFeed: FeedConnector {
    let stream = Identifier("main")!
    let records: [FeedPage.Record]
    private let cutShare: Int
    private let generator: Guarded<SeededGenerator>
    private let acknowledgedUpTo = Guarded<Int64>(0)

    /// - Parameter cutShare: of a hundred pages, so many do not come.
    init(_ contents: [[SettlementItem.Subject]], cutShare: Int = 0, seed: UInt64) {
        var hash = HashChain.start
        records = contents.enumerated().map { [stream] index, subjects in
            let sequence = Int64(index + 1)
            hash.append("record \(sequence)".utf8)
            let place = StreamPlace(stream: stream, sequence: sequence)
            return FeedPage.Record(
                hash: hash.value, items: subjects.map { SettlementItem($0, origin: .feed(place)) })
        }
        self.cutShare = cutShare
        generator = Guarded(SeededGenerator(seed: seed))
    }

    var acknowledged: Int64 { acknowledgedUpTo.withLock { $0 } }

    func follow(_ lease: FeedLease) throws(FeedStop) -> any FeedRecords {
        let known = lease.sequence == 0 ? 0 : records[Int(lease.sequence) - 1].hash
        guard lease.hash == known else { throw .halted("the hash at record \(lease.sequence) differs") }
        return Reader(feed: self, next: Guarded(Int(lease.sequence)))
    }

    private struct Reader: FeedRecords {
        let feed: StoredFeed
        let next: Guarded<Int>

        var heardAt: ContinuousClock.Instant? { .now }

        func next() async throws(FeedStop) -> FeedPage {
            let (isCut, count) = feed.generator.withLock { generator in
                (
                    Int.random(in: 0..<100, using: &generator) < feed.cutShare,
                    Int.random(in: 1...80, using: &generator)
                )
            }
            if isCut { throw .later("the connection was cut") }
            let records = next.withLock { next in
                let page = feed.records.dropFirst(next).prefix(count)
                next += page.count
                return Array(page)
            }
            if records.isEmpty { try? await Task.sleep(for: .milliseconds(20)) }
            return FeedPage(records: records, engineEpoch: 1)
        }

        func acknowledge(_ sequence: Int64) {
            feed.acknowledgedUpTo.withLock { $0 = max($0, sequence) }
        }

        func stop() {}
    }
}

extension EngineProcesses {
    @Suite(.timeLimit(.minutes(5))) struct FeedFollowerTests {
        /// Deposits, then for each trade what its orders hold, the trade, and what the buyer held too much.
        private func contents(_ load: TradeLoad) -> [[SettlementItem.Subject]] {
            let stream = Identifier("main")!
            let (base, quote) = (AssetSymbol("BTC")!, AssetSymbol("USDT")!)
            var contents: [[SettlementItem.Subject]] = load.deposits.map { [.operation($0)] }
            for (index, trade) in load.trades.enumerated() {
                let price = trade.price.amount(decimals: 0)!.units
                let hundredths = trade.quantity.amount(decimals: 2)!.units
                var trade = trade
                (trade.stream, trade.sequence) = (stream, Int64(contents.count + 3))
                trade.buyOrder = Identifier("buy-\(index)")
                trade.sellOrder = Identifier("sell-\(index)")
                func change(
                    _ kind: Operation.Kind, _ account: Identifier, _ asset: AssetSymbol, _ hundredths: Int128,
                    _ order: Identifier?
                ) -> SettlementItem.Subject {
                    .operation(
                        Operation(
                            key: Identifier("main:\(contents.count + 1).\(kind == .release ? 1 : 0)")!, kind: kind,
                            account: account, asset: asset,
                            amount: DecimalNumber(hundredths, scale: 2)!,
                            order: OrderKey(stream: stream, order: order!)))
                }
                contents.append([change(.reserve, trade.buyer, quote, price * hundredths + 5, trade.buyOrder)])
                contents.append([change(.reserve, trade.seller, base, hundredths, trade.sellOrder)])
                contents.append([.trade(trade), change(.release, trade.buyer, quote, 5, trade.buyOrder)])
                // An order's state alone moves no money.
                contents.append([])
            }
            return contents
        }

        private func service(_ database: TestDatabase, _ feed: StoredFeed) throws -> SettlementService {
            var limits = TestDatabase.patientLimits
            limits.queueCapacity = 300
            limits.batchSizeMax = 60
            limits.shutdownTimeoutSeconds = 20
            var configuration = SettlementService.Configuration(
                connectionString: database.connectionString, limits: limits, version: "test",
                log: Log(level: .error), render: WireEncoder.encode)
            configuration.feed = feed
            return try SettlementService(configuration)
        }

        private func state(_ database: TestDatabase) throws -> FeedState? {
            FeedStateStore.decode(try database.connect().query(FeedStateStore.list())).first
        }

        @Test func `what is broken off again and again is settled once, and the watermark says so`() async throws {
            let seed = UInt64.random(in: 1...999_999)
            print("seed \(seed)")
            var generator = SeededGenerator(seed: seed)
            // given
            let database = try TestDatabase()
            let load = TradeLoad(1_500, accounts: 30, seed: seed)
            try database.addMarket()
            let feed = StoredFeed(contents(load), cutShare: 3, seed: seed)

            // when
            for _ in 0..<5 {
                let service = try service(database, feed)
                let run = Task { await service.run() }
                let target = (try state(database)?.watermark ?? 0) + .random(in: 1...900, using: &generator)
                try? await eventually("it has gone on", timeout: .seconds(3)) {
                    try state(database)?.watermark ?? 0 >= target
                }
                if Bool.random(using: &generator) { await service.abort() } else { service.stop() }
                _ = await run.value
                let reached = try #require(try state(database))
                #expect(reached.follower == nil)
                // Everything up to the watermark is there.
                let records = feed.records.prefix(Int(reached.watermark))
                let trades = records.flatMap(\.items).count { item in
                    if case .trade = item.subject { true } else { false }
                }
                #expect(try database.trades(.settled) >= trades)
                #expect(reached.hash == records.last?.hash ?? 0)
            }
            let last = Int64(feed.records.count)
            let (first, second) = (try service(database, feed), try service(database, feed))
            let runs = [Task { await first.run() }, Task { await second.run() }]
            try await eventually("all is settled") { try state(database)?.watermark == last }

            // then
            try await eventually("the engine knows") { feed.acknowledged == last }
            first.stop()
            second.stop()
            for run in runs { #expect(await run.value.isEmpty) }
            #expect(try state(database)?.hash == feed.records.last?.hash)
            try expectSettledOnce(load, in: database)
            #expect(try database.value("select sum(remaining) from holds") == "0")
            #expect(try database.value("select count(*) from operations where stream_seq is null") == "0")
        }

        @Test func `a stream that differs is halted, and the worker goes on with the rest`() async throws {
            // given
            let database = try TestDatabase()
            let load = TradeLoad(40, accounts: 5, seed: 3)
            try database.addMarket()
            let feed = StoredFeed(contents(load), seed: 3)
            try database.execute(
                "insert into feed_state (stream, watermark, hash) values ('main', 3, '\\x0102030405060708')")

            // when
            let service = try service(database, feed)
            let run = Task { await service.run() }
            try await eventually("it is halted") { try state(database)?.haltedFor != nil }
            try await load.deposit(in: database)
            try load.store(load.trades, in: database)
            try await eventually("the rest is settled") { try database.trades(.settled) == load.trades.count }
            service.stop()
            _ = await run.value

            // then
            #expect(try state(database)?.haltedFor == "the hash at record 3 differs")
            #expect(try state(database)?.watermark == 3)
            try expectSettledOnce(load, in: database)
        }

        @Test func `an operation that the books refuse halts the stream, and is tried again when it goes on`()
            async throws
        {
            // given
            let database = try TestDatabase()
            try database.addMarket()
            func change(_ kind: Operation.Kind, _ key: String, _ account: String) -> [SettlementItem.Subject] {
                [
                    .operation(
                        Operation(
                            key: Identifier(key)!, kind: kind, account: Identifier(account)!,
                            asset: AssetSymbol("BTC")!, amount: DecimalNumber(1, scale: 0)!))
                ]
            }
            let feed = StoredFeed(
                [
                    change(.deposit, "a", "1001"), change(.deposit, "b", "1002"), change(.withdrawal, "c", "1001"),
                    change(.withdrawal, "d", "1002"), [],
                ], seed: 1)
            try await database.expecting("deposit 1001 1 BTC --id before")
            try await database.expecting("account freeze 1001 --reason trial")

            // when
            let service = try service(database, feed)
            let run = Task { await service.run() }
            try await eventually("the stream is halted") { try state(database)?.haltedFor != nil }
            #expect(try state(database)?.watermark == 2)
            #expect(try state(database)?.haltedFor == "record 3, withdrawal c: account 1001 is frozen")
            #expect(try database.count("dead_letters") == 0)

            // then
            try await database.expecting("account unfreeze 1001 --reason trial")
            #expect(
                try await database.expecting("feed resume main --reason mended")
                    == "stream main goes on behind record 2\n")
            #expect(try await database.expecting("feed resume main --reason mended") == "stream main is not halted\n")
            try await eventually("it is through") { try state(database)?.watermark == 5 }
            service.stop()
            #expect(await run.value.isEmpty)
            #expect(try database.available("1001", "BTC") == "1.00000000")
            #expect(try database.available("1002", "BTC") == "0.00000000")
            #expect(
                try database.value("select action || ' ' || reason from operator_actions where subject = 'feed main'")
                    == "resume mended")
            #expect(try database.violations() == [])
        }
    }
}
