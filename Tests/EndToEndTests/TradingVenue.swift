import EngineHost
import Foundation
import SettleTesting
import TradeFeed
import TradeModel

/// A venue whose engine runs from the beginning and keeps nothing, and a way to its orders and its feed.
final class TradingVenue: Sendable {
    private let venue = Venue()
    let engine: Program

    init(_ arguments: String...) async throws {
        engine = try await venue.start(["--no-wal", "--log-level", "info"] + arguments)
    }

    var orders: Endpoint { venue.orders }
    var feed: Endpoint { venue.feed }

    func client() throws -> EntryClient { try venue.client() }

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
        try await venue.typing(line, on: database)
    }
}

extension TestDatabase {
    func watermark() throws -> Int64 {
        Int64(try value("select coalesce(max(watermark), 0) from feed_state")) ?? -1
    }
}
