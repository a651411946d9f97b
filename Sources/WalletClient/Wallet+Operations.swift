import Repository
import TradeModel

extension Wallet {
    /// Brings money in from the outside world; the first deposit opens the account.
    ///
    /// Like the others it has effect once for its key: the same again is `.duplicate`, anything else under the same
    /// key is refused.
    public func deposit(_ amount: DecimalNumber, _ asset: AssetSymbol, to account: Identifier, key: Identifier)
        throws(WalletError) -> Outcome
    {
        try apply(Operation(key: key, kind: .deposit, account: account, asset: asset, amount: amount))
    }

    /// Takes money out to the outside world.
    public func withdraw(_ amount: DecimalNumber, _ asset: AssetSymbol, from account: Identifier, key: Identifier)
        throws(WalletError) -> Outcome
    {
        try apply(Operation(key: key, kind: .withdrawal, account: account, asset: asset, amount: amount))
    }

    /// Holds available money for an order.
    public func reserve(
        _ amount: DecimalNumber, _ asset: AssetSymbol, of account: Identifier, for order: OrderKey, key: Identifier
    ) throws(WalletError) -> Outcome {
        try apply(
            Operation(key: key, kind: .reserve, account: account, asset: asset, amount: amount, order: order))
    }

    /// Makes held money available again.
    public func release(
        _ amount: DecimalNumber, _ asset: AssetSymbol, of account: Identifier, for order: OrderKey, key: Identifier
    ) throws(WalletError) -> Outcome {
        try apply(
            Operation(key: key, kind: .release, account: account, asset: asset, amount: amount, order: order))
    }

    private func apply(_ operation: Operation) throws(WalletError) -> Outcome {
        try settle([SettlementItem(.operation(operation), origin: .message("wallet"))])[0]
    }
}
