import Testing
import TradeModel

@testable import TradeEngine

/// What a record says that it did to balances.
@Suite struct BalanceChangeTests {
    private struct Key: Hashable {
        let account: Identifier?
        let asset: AssetSymbol
    }

    private static let decimals = Dictionary(uniqueKeysWithValues: RandomCommands.assets)

    @Test(arguments: [31, 32, 33] as [UInt64])
    func `what records change adds up to what everybody has, at each of them`(seed: UInt64) throws {
        var commands = RandomCommands(seed: seed)
        let exchange = Exchange()
        var sums: [Key: (available: Int128, held: Int128)] = [:]
        for step in 1...6_000 {
            let output = try exchange.run(commands.command())
            commands.note(output)
            for change in try output.balanceChanges(decimals: { Self.decimals[$0] }) {
                sums[Key(account: change.account, asset: change.asset), default: (0, 0)].available +=
                    change.available.units
                sums[Key(account: change.account, asset: change.asset)]!.held += change.held.units
            }
            guard step % 50 == 0 else { continue }
            for (asset, _) in RandomCommands.assets {
                #expect(exchange.engine.houseBalance(asset) == sums[Key(account: nil, asset: asset)]?.available ?? 0)
                for account in RandomCommands.accounts {
                    let sum = sums[Key(account: account, asset: asset)] ?? (0, 0)
                    let there = exchange.engine.balance(of: account, asset) ?? EngineBalance(available: 0, held: 0)
                    #expect(
                        there == EngineBalance(available: sum.available, held: sum.held),
                        "seed \(seed), sequence \(step), \(account) \(asset)")
                }
            }
        }
        #expect(sums.values.contains { $0.held > 0 } && sums.contains { $0.key.account == nil })
    }

    @Test func `an asset that nobody knows is said to be so`() throws {
        let exchange = Exchange()
        try exchange.run(.listAsset(symbol: AssetSymbol("BTC")!, decimals: 8))
        let output = try exchange.run(
            .deposit(
                Transfer(
                    key: Identifier("d")!, account: Identifier("eve")!, asset: AssetSymbol("BTC")!,
                    amount: DecimalNumber("0.5")!)))
        #expect(throws: UnreadableChange()) { try output.balanceChanges { _ in nil } }
        // Its amount has more decimals than the asset.
        #expect(throws: UnreadableChange()) { try output.balanceChanges { _ in 0 } }
    }
}
