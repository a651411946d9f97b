/// The number under which a market is stored.
public typealias MarketNumber = Int32

/// Two assets that are traded against each other, and the rules of it.
public struct Market: Hashable, Sendable {
    public let number: MarketNumber
    public let symbol: MarketSymbol
    public let base: Asset
    public let quote: Asset
    /// How many digits behind the point a price may have.
    public let priceDecimals: Int
    public let feeRule: FeeRule
    /// Whether an operator has stopped it: its trades wait.
    public let isHalted: Bool

    public init(
        number: MarketNumber, symbol: MarketSymbol, base: Asset, quote: Asset, priceDecimals: Int, feeRule: FeeRule,
        isHalted: Bool = false
    ) {
        self.number = number
        self.symbol = symbol
        self.base = base
        self.quote = quote
        self.priceDecimals = priceDecimals
        self.feeRule = feeRule
        self.isHalted = isHalted
    }
}

/// Which side pays its fee in what. A negative fee is a rebate, paid by the house.
public enum FeeRule: String, Sendable, CaseIterable {
    /// Each side pays from what it receives, and at most that: the buyer in base, the seller in quote.
    case received
    /// Both sides pay in quote, the buyer on top of the price.
    case quote
}
