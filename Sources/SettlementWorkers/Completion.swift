import TradeModel
import WalletClient

/// What became of one item, and how long it took.
public struct Completion: Sendable {
    public let item: SettlementItem
    public let outcome: Outcome
    /// How often it was tried by itself; an item that settles with its batch at once was tried once.
    public let attempts: Int
    /// From the call that submitted it, the wait for room included, to the commit.
    public let elapsed: Duration
}
