/// What the engine made of one command: exactly one record each, numbered 1, 2, 3 … without a gap.
///
/// It repeats the command, so that whoever reads the records needs nothing else and may begin anywhere.
public struct EngineOutput: Hashable, Sendable {
    /// The number of the record; also that of the order or the operation which the command made.
    public var sequence: UInt64
    public var command: EngineCommand
    /// Nil where the command was accepted. One that was rejected changed nothing.
    public var rejection: RejectReason?
    /// The market of an order command, as far as it is known which one that is.
    public var market: MarketScale?
    /// In the order in which they happened.
    public var events: [EngineEvent]

    public init(
        sequence: UInt64, command: EngineCommand, rejection: RejectReason? = nil, market: MarketScale? = nil,
        events: [EngineEvent] = []
    ) {
        self.sequence = sequence
        self.command = command
        self.rejection = rejection
        self.market = market
        self.events = events
    }

    /// Every byte string that is a record is at most so long.
    public static let byteCountMax = 4 << 20
    /// How many orders of the book one command meets at most; it follows that its record keeps to its limit.
    public static let matchCountMax = 10_000
}

/// What must be known of a market to read its amounts.
public struct MarketScale: Hashable, Sendable {
    public var symbol: MarketSymbol
    public var baseDecimals: Int
    public var quoteDecimals: Int
    public var priceDecimals: Int
    public var feeRule: FeeRule

    public init(
        symbol: MarketSymbol, baseDecimals: Int, quoteDecimals: Int, priceDecimals: Int, feeRule: FeeRule
    ) {
        self.symbol = symbol
        self.baseDecimals = baseDecimals
        self.quoteDecimals = quoteDecimals
        self.priceDecimals = priceDecimals
        self.feeRule = feeRule
    }

    public func decimals(of asset: MarketAsset) -> Int { asset == .base ? baseDecimals : quoteDecimals }
    public func symbol(of asset: MarketAsset) -> AssetSymbol { asset == .base ? symbol.base : symbol.quote }

    /// In which asset a side pays its fee: the buyer in what it receives, or both in quote; the seller always in quote.
    public func feeAsset(of side: OrderSide) -> MarketAsset {
        side == .buy && feeRule == .received ? .base : .quote
    }
}

/// One thing that happened because of a command. Amounts are in the smallest units that the record's market says.
public enum EngineEvent: Hashable, Sendable {
    /// The order exists. Always the first of its events.
    case new(order: UInt64)
    /// Money of the command's account is held for its order.
    case hold(order: UInt64, asset: MarketAsset, amount: Amount)
    /// Two orders traded. Each side's hold is spent: see `holdSpent`.
    case trade(EngineTrade)
    /// Held money is available again.
    case release(order: UInt64, account: Identifier, asset: MarketAsset, amount: Amount)
    /// The order came into another state, with so much left of its quantity.
    case state(order: UInt64, account: Identifier, OrderState, cause: OrderStateCause, remaining: Amount)
    /// The order has another price or quantity; the quantity is the whole one, what was filled included.
    case amended(order: UInt64, price: Amount, quantity: Amount, remaining: Amount, keepsPriority: Bool)
}

/// A trade between an order that arrived, the taker, and one of the book, the maker.
public struct EngineTrade: Hashable, Sendable {
    /// Counts all trades of the engine from 1.
    public var number: UInt64
    public var makerOrder: UInt64
    public var makerAccount: Identifier
    public var takerOrder: UInt64
    public var takerAccount: Identifier
    public var takerSide: OrderSide
    /// The maker's price.
    public var price: Amount
    /// In base.
    public var quantity: Amount
    /// Price times quantity, rounded down once; the same for both sides.
    public var quote: Amount
    /// Credited to the house, in the asset that the market's fee rule says; negative where the house pays.
    public var makerFee: Amount
    public var takerFee: Amount

    public init(
        number: UInt64, makerOrder: UInt64, makerAccount: Identifier, takerOrder: UInt64, takerAccount: Identifier,
        takerSide: OrderSide, price: Amount, quantity: Amount, quote: Amount, makerFee: Amount, takerFee: Amount
    ) {
        self.number = number
        self.makerOrder = makerOrder
        self.makerAccount = makerAccount
        self.takerOrder = takerOrder
        self.takerAccount = takerAccount
        self.takerSide = takerSide
        self.price = price
        self.quantity = quantity
        self.quote = quote
        self.makerFee = makerFee
        self.takerFee = takerFee
    }

    public var buyer: Identifier { takerSide == .buy ? takerAccount : makerAccount }
    public var seller: Identifier { takerSide == .buy ? makerAccount : takerAccount }
    public var buyOrder: UInt64 { takerSide == .buy ? takerOrder : makerOrder }
    public var sellOrder: UInt64 { takerSide == .buy ? makerOrder : takerOrder }
    public var buyerFee: Amount { takerSide == .buy ? takerFee : makerFee }
    public var sellerFee: Amount { takerSide == .buy ? makerFee : takerFee }

    /// What the trade takes from what is held for one side's order: quote of the buyer's, base of the seller's.
    public func holdSpent(by side: OrderSide, _ rule: FeeRule) throws(AmountOverflow) -> Amount {
        guard side == .buy else { return quantity }
        return rule == .quote && !buyerFee.isNegative ? try quote.adding(buyerFee) : quote
    }
}
