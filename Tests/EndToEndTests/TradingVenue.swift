import EngineHost
import Foundation
import SettleTesting
import TradeFeed
import TradeModel

/// An engine in a process of its own, and a way to its orders and its feed.
final class TradingVenue: Sendable {
    let orders = Endpoint()
    let feed = Endpoint()
    let engine: Program

    init(_ arguments: String...) async throws {
        engine = try Program(
            ["engine", "--no-wal", "--orders", orders.name, "--feed", feed.name, "--log-level", "info"] + arguments)
        guard await engine.waitFor("engine started") else {
            throw WaitedInVain(description: "the engine: \(engine.errorsSoFar)")
        }
    }

    func client() throws -> EntryClient { try EntryClient(endpoint: orders.name) }

    /// Has commands carried out, and returns the engine's records of them.
    @discardableResult
    func carryOut(_ actions: EngineCommand.Action...) async throws -> [[UInt8]] { try await carryOut(actions) }

    @discardableResult
    func carryOut(_ actions: [EngineCommand.Action]) async throws -> [[UInt8]] {
        try await client().carryOut(actions.map { EngineCommand(time: Timestamp(microseconds: 0), $0).bytes })
    }

    /// BTC with 8 decimals and USDT with 6, and their market; three records.
    static let listings: [EngineCommand.Action] = [
        .listAsset(symbol: AssetSymbol("BTC")!, decimals: 8),
        .listAsset(symbol: AssetSymbol("USDT")!, decimals: 6),
        .listMarket(
            MarketListing(
                symbol: MarketSymbol("BTC/USDT")!, tick: DecimalNumber("0.01")!, lot: DecimalNumber("0.0001")!,
                quantityMin: DecimalNumber("0.0001")!, quantityMax: DecimalNumber("1000")!,
                priceMax: DecimalNumber("1000000")!, feeRule: .received, selfTradeRule: .cancelNewest,
                fees: [TradingFees(maker: -100, taker: 500)])),
    ]

    static func deposit(_ account: String, _ amount: String, _ asset: String) -> EngineCommand.Action {
        .deposit(
            Transfer(
                key: Identifier("open-\(account)-\(asset)")!, account: Identifier(account)!, asset: AssetSymbol(asset)!,
                amount: DecimalNumber(amount)!))
    }

    static func order(
        _ account: String, _ side: OrderSide, _ quantity: String, at price: String, id: String? = nil
    ) -> EngineCommand.Action {
        .place(
            OrderRequest(
                account: Identifier(account)!, clientOrderID: id.map { Identifier($0)! },
                market: MarketSymbol("BTC/USDT")!, side: side, timeInForce: .goodTillCancelled,
                price: DecimalNumber(price)!, quantity: DecimalNumber(quantity)!))
    }

    func settle(_ line: String, on database: TestDatabase? = nil) async throws -> Program.Result {
        var environment = ["SETTLE_ENGINE": orders.name, "SETTLE_FEED": feed.name]
        environment["DATABASE_URL"] = database?.connectionString
        return try await Program(line.split(separator: " ").map(String.init), environment: environment).wait()
    }
}

extension TestDatabase {
    func watermark() throws -> Int64 {
        Int64(try value("select coalesce(max(watermark), 0) from feed_state")) ?? -1
    }
}
