import ServiceKit
import TradeModel

/// Commands for an engine, from a seed: one market, some accounts with money in it, and orders that meet.
public struct OrderFlow: Sendable {
    public static let accounts = (1...12).map { Identifier("\(1000 + $0)")! }
    public static let assets = [AssetSymbol("BTC")!, AssetSymbol("USDT")!]
    private static let market = MarketSymbol("BTC/USDT")!

    private var generator: SeededGenerator
    /// The number of the command that comes next.
    private var number: Int

    public init(seed: UInt64) {
        generator = SeededGenerator(seed: seed)
        number = Self.opening.count + 1
    }

    /// What must come first: assets, the market and everybody's money.
    public static let opening: [[UInt8]] = {
        var actions: [EngineCommand.Action] = [
            .listAsset(symbol: assets[0], decimals: 8), .listAsset(symbol: assets[1], decimals: 6),
            .listMarket(
                MarketListing(
                    symbol: market, tick: DecimalNumber("0.01")!, lot: DecimalNumber("0.0001")!,
                    quantityMin: DecimalNumber("0.0001")!, quantityMax: DecimalNumber("1000")!,
                    priceMax: DecimalNumber("1000000")!, feeRule: .received, selfTradeRule: .cancelNewest,
                    fees: [TradingFees(maker: -100, taker: 500)])),
        ]
        for account in accounts {
            for (asset, amount) in zip(assets, ["100", "1000000"]) {
                actions.append(
                    .deposit(
                        Transfer(
                            key: Identifier("open-\(account)-\(asset)")!, account: account, asset: asset,
                            amount: DecimalNumber(amount)!)))
            }
        }
        return actions.map(bytes)
    }()

    /// A command as it is sent: the engine puts its own time in.
    public static func bytes(_ action: EngineCommand.Action) -> [UInt8] {
        EngineCommand(time: Timestamp(microseconds: 0), action).bytes
    }

    /// Seven of ten place an order, the others cancel one of late.
    public mutating func next(_ count: Int) -> [[UInt8]] {
        (0..<count).map { _ in
            defer { number += 1 }
            return Self.bytes(action())
        }
    }

    private mutating func action() -> EngineCommand.Action {
        if Int.random(in: 0..<10, using: &generator) < 3 {
            let earlier = max(1, number - Int.random(in: 1...60, using: &generator))
            return .cancel(account: owner(of: earlier), order: .clientOrderID(clientOrderID(earlier)))
        }
        let cents = Int128(Int.random(in: 4_990_000...5_010_000, using: &generator))
        let lots = Int128(Int.random(in: 1...500, using: &generator))
        let isImmediate = Int.random(in: 0..<10, using: &generator) == 0
        return .place(
            OrderRequest(
                account: owner(of: number), clientOrderID: clientOrderID(number), market: Self.market,
                side: Bool.random(using: &generator) ? .buy : .sell,
                timeInForce: isImmediate ? .immediateOrCancel : .goodTillCancelled,
                price: DecimalNumber(cents, scale: 2), quantity: DecimalNumber(lots, scale: 4)))
    }

    private func owner(of number: Int) -> Identifier { Self.accounts[number * 7_919 % Self.accounts.count] }
    private func clientOrderID(_ number: Int) -> Identifier { Identifier("c-\(number)")! }
}
