/// What a record of an engine did to one balance.
public struct EngineBalanceChange: Hashable, Sendable {
    /// nil for what the house has earned, all of which is available.
    public let account: Identifier?
    public let asset: AssetSymbol
    public let available: Amount
    public let held: Amount

    init(_ account: Identifier?, _ asset: AssetSymbol, available: Amount = .zero, held: Amount = .zero) {
        self.account = account
        self.asset = asset
        self.available = available
        self.held = held
    }
}

/// A record moves an amount that does not fit its asset, or an asset that nobody knows.
public struct UnreadableChange: Error, Hashable, Sendable {
    public init() {}
}

extension EngineOutput {
    /// What the record did to balances. Who adds that up over some records knows from what everybody had behind them
    /// what everybody had before.
    ///
    /// - Parameter decimals: of an asset; a deposit says its amount as the sender wrote it.
    public func balanceChanges(
        decimals: (AssetSymbol) -> Int?
    ) throws(UnreadableChange) -> [EngineBalanceChange] {
        guard rejection == nil else { return [] }
        switch command.action {
        case .deposit(let transfer):
            return [
                EngineBalanceChange(
                    transfer.account, transfer.asset, available: try Self.amount(of: transfer, decimals))
            ]
        case .withdraw(let transfer):
            let amount = try Self.amount(of: transfer, decimals)
            return [EngineBalanceChange(transfer.account, transfer.asset, available: amount.negated)]
        default: break
        }
        guard let market else { return [] }
        var changes: [EngineBalanceChange] = []
        for event in events {
            switch event {
            case .hold(_, let asset, let amount):
                guard let account = command.account else { throw UnreadableChange() }
                changes.append(
                    EngineBalanceChange(account, market.symbol(of: asset), available: amount.negated, held: amount))
            case .release(_, let account, let asset, let amount):
                changes.append(
                    EngineBalanceChange(account, market.symbol(of: asset), available: amount, held: amount.negated))
            case .trade(let trade):
                do throws(AmountOverflow) { changes += try trade.balanceChanges(in: market) } catch {
                    throw UnreadableChange()
                }
            case .new, .state, .amended: continue
            }
        }
        return changes
    }

    private static func amount(
        of transfer: Transfer, _ decimals: (AssetSymbol) -> Int?
    ) throws(UnreadableChange) -> Amount {
        guard let amount = decimals(transfer.asset).flatMap({ transfer.amount.amount(decimals: $0) }) else {
            throw UnreadableChange()
        }
        return amount
    }
}

extension EngineTrade {
    /// Each side gives what is held for its order, and receives less its fee; the fees are the house's.
    fileprivate func balanceChanges(in market: MarketScale) throws(AmountOverflow) -> [EngineBalanceChange] {
        let (base, quoted) = (market.symbol.base, market.symbol.quote)
        let paysInBase = market.feeAsset(of: .buy) == .base
        var changes = [
            EngineBalanceChange(buyer, quoted, held: try holdSpent(by: .buy, market.feeRule).negated),
            EngineBalanceChange(
                buyer, base, available: paysInBase ? try quantity.subtracting(buyerFee) : quantity),
            EngineBalanceChange(seller, base, held: try holdSpent(by: .sell, market.feeRule).negated),
            EngineBalanceChange(seller, quoted, available: try quote.subtracting(sellerFee)),
            EngineBalanceChange(nil, paysInBase ? base : quoted, available: buyerFee),
            EngineBalanceChange(nil, quoted, available: sellerFee),
        ]
        if !paysInBase, buyerFee.isNegative {
            changes.append(EngineBalanceChange(buyer, quoted, available: buyerFee.negated))
        }
        return changes
    }
}
