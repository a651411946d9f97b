import Repository
import TradeModel

/// What became of the reversal of a trade.
public enum ReversalOutcome: Sendable {
    case reversed(RecordedReversal)
    /// Somebody had done it before.
    case wasReversed(RecordedReversal)
    /// Not all that the trade brought is there to be given back.
    case lacksMoney([Shortfall])
    /// Nothing moves on these accounts any more.
    case closed([Identifier])
}

extension Wallet {
    /// Takes a settled trade back: the opposite of what it moved, in one transaction with the record of who wanted it.
    /// Has effect once for each trade, whoever asks and however often.
    public func reverse(
        _ terms: ReversalTerms, actor: String, reason: String, resolving lostBatch: BatchNumber? = nil
    ) throws(WalletError) -> ReversalOutcome {
        try inSession { session throws(WalletError) in
            try session.reverse(terms, actor: actor, reason: reason, resolving: lostBatch)
        }
    }
}

extension ReversalTerms {
    /// Who lacks what of what is to be given back.
    ///
    /// - Parameter balances: as they are, by the places of their legs; what is not among them is not judged.
    public func shortfalls(on balances: [Int: Balance]) -> [Shortfall] {
        legs.enumerated().compactMap { place, leg in
            guard leg.amount.isNegative, let balance = balances[place], let lowest = balance.lowest,
                let free = try? balance.available.subtracting(lowest), free < leg.amount.negated,
                let missing = try? leg.amount.negated.subtracting(free)
            else { return nil }
            return Shortfall(
                account: leg.account, asset: leg.asset, needed: leg.amount.negated, available: balance.available,
                missing: missing)
        }
    }

    /// The customers among those whose balances change.
    public var customers: Set<Identifier> {
        Set(legs.lazy.filter { $0.accountKind == .customer }.map(\.account))
    }
}
