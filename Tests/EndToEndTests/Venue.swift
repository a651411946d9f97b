import EngineHost
import Foundation
import ServiceKit
import SettleTesting
import Testing
import TradeFeed
import TradeModel

/// An engine in a process of its own, where to find it, and what traders send it.
struct Venue {
    static let accountCount = 12

    let folder: String
    let orders = Endpoint()
    let feed = Endpoint()

    init() {
        folder = FileManager.default.temporaryDirectory.path + "/engine-\(UUID().uuidString)"
    }

    /// Starts the engine; its log is in the folder, if there is one.
    func start(withLog: Bool = true) async throws -> Program {
        let engine = try Program(
            ["engine", "--orders", orders.name, "--feed", feed.name] + (withLog ? ["--wal", folder] : ["--no-wal"]))
        guard await engine.waitFor("engine started") else {
            throw WaitedInVain(description: "the engine did not start: \(await engine.wait(timeout: .zero).errors)")
        }
        return engine
    }

    func removeFolder() {
        try? FileManager.default.removeItem(atPath: folder)
    }

    func client() throws -> EntryClient { try EntryClient(endpoint: orders.name) }

    func answer(_ query: EngineQuery) async throws -> EngineAnswer {
        let json = try await client().query(Array(JSONEncoder().encode(query)))
        return try JSONDecoder().decode(EngineAnswer.self, from: Data(json))
    }

    /// A worker that follows the feed, and whose lease is soon another's when it is silent.
    func worker(on database: TestDatabase) async throws -> Program {
        try await Program.worker(
            on: database, ["--feed", feed.name],
            environment: [
                "SETTLE_HEARTBEAT_TIMEOUT_MILLISECONDS": "500", "SETTLE_HEARTBEAT_INTERVAL_MILLISECONDS": "100",
            ])
    }

    // MARK: What is sent

    static func command(_ action: EngineCommand.Action) -> [UInt8] {
        EngineCommand(time: Timestamp(microseconds: 0), action).bytes
    }

    /// A market, and accounts with money.
    static let opening: [[UInt8]] = {
        var commands: [EngineCommand.Action] = [
            .listAsset(symbol: AssetSymbol("BTC")!, decimals: 8),
            .listAsset(symbol: AssetSymbol("USDT")!, decimals: 6),
            .listMarket(
                MarketListing(
                    symbol: MarketSymbol("BTC/USDT")!, tick: DecimalNumber("0.01")!, lot: DecimalNumber("0.0001")!,
                    quantityMin: DecimalNumber("0.0001")!, quantityMax: DecimalNumber("1000")!,
                    priceMax: DecimalNumber("1000000")!, feeRule: .received, selfTradeRule: .cancelNewest,
                    fees: [TradingFees(maker: -100, taker: 500)])),
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

    /// An order like any other, or the end of one that was sent lately: the number of each names it.
    static func order(_ number: Int, _ generator: inout SeededGenerator) -> [UInt8] {
        if Int.random(in: 0..<10, using: &generator) < 3 {
            let earlier = max(1, number - Int.random(in: 1...60, using: &generator))
            return command(.cancel(account: account(earlier), order: .clientOrderID(Identifier("c-\(earlier)")!)))
        }
        let cents = Int.random(in: 4_990_000...5_010_000, using: &generator)
        let lots = Int.random(in: 1...500, using: &generator)
        return command(
            .place(
                OrderRequest(
                    account: account(number), clientOrderID: Identifier("c-\(number)"),
                    market: MarketSymbol("BTC/USDT")!, side: Bool.random(using: &generator) ? .buy : .sell,
                    timeInForce: Int.random(in: 0..<10, using: &generator) == 0
                        ? .immediateOrCancel : .goodTillCancelled,
                    price: DecimalNumber(Int128(cents), scale: 2), quantity: DecimalNumber(Int128(lots), scale: 4))))
    }

    /// Whose order it is.
    private static func account(_ number: Int) -> Identifier {
        Identifier("\(1001 + number * 7_919 % accountCount)")!
    }

    // MARK: What came of it

    static func watermark(_ database: TestDatabase) throws -> Int64 {
        Int64(try database.value("select coalesce(max(watermark), 0) from feed_state")) ?? -1
    }

    /// The engine and the books are at the same place, and say the same of every account.
    func expectEqual(_ database: TestDatabase, sourceLocation: SourceLocation = #_sourceLocation) async throws {
        let end = try await answer(.status)
        try await eventually("all is settled", timeout: .seconds(300)) {
            try Self.watermark(database) == end.sequence
        }
        #expect(
            try database.value("select encode(hash, 'hex') from feed_state") == end.hash,
            sourceLocation: sourceLocation)
        #expect(try database.trades(.settled) == end.trades, sourceLocation: sourceLocation)
        #expect(try database.count("dead_letters") == 0, sourceLocation: sourceLocation)
        for account in 1...Self.accountCount {
            for asset in ["BTC", "USDT"] {
                let there = try await answer(.balance(Identifier("\(1000 + account)")!, AssetSymbol(asset)!)).balance
                let here = try database.value(
                    """
                    select available || ' ' || frozen from account_balances
                     where account = '\(1000 + account)' and asset = '\(asset)'
                    """)
                #expect(here == there.map { "\($0.available) \($0.held)" }, sourceLocation: sourceLocation)
            }
        }
        #expect(try database.violations() == [], sourceLocation: sourceLocation)
    }
}
