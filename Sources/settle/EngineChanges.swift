import Repository
import TradeModel

/// What some records of an engine have changed, added up by balance: taken off from what is behind them, it says what
/// was before.
struct EngineChanges {
    struct Key: Hashable {
        let account: Identifier
        let asset: AssetSymbol
    }

    private(set) var balances: [Key: BalanceReconciliation.Money] = [:]
    private(set) var house: [AssetSymbol: Amount] = [:]

    /// Adds what a record has changed; its amounts have so many decimals.
    mutating func add(_ record: EngineOutput, decimals: [AssetSymbol: Int]) throws {
        for change in try record.balanceChanges(decimals: { decimals[$0] }) {
            guard let account = change.account else {
                house[change.asset] = try (house[change.asset] ?? .zero).adding(change.available)
                continue
            }
            let key = Key(account: account, asset: change.asset)
            let sum = balances[key] ?? .nothing
            balances[key] = .init(
                available: try sum.available.adding(change.available), held: try sum.held.adding(change.held))
        }
    }
}
