/// An input of the matching engine, with the time at which it was taken in: the engine itself knows no clock.
public struct EngineCommand: Hashable, Sendable {
    public var time: Timestamp
    public var action: Action

    public init(time: Timestamp, _ action: Action) {
        self.time = time
        self.action = action
    }

    public enum Action: Hashable, Sendable {
        case listAsset(symbol: AssetSymbol, decimals: Int)
        case listMarket(MarketListing)
        /// Which of a market's fees are an account's: the tier counts from 0, and the highest a market has serves
        /// for those above it.
        case setFeeTier(account: Identifier, tier: UInt8)
        /// Money comes in from the outside world, and opens the account if there is none. Has effect once for its key.
        case deposit(Transfer)
        /// Money goes out to it. Has effect once for its key.
        case withdraw(Transfer)
        case place(OrderRequest)
        case cancel(account: Identifier, order: OrderReference)
        case amend(Amendment)
        /// Orders of the market can only be cancelled from here on.
        case haltMarket(MarketSymbol)
        case resumeMarket(MarketSymbol)
    }

    /// Every byte string that is a command is at most so long.
    public static let byteCountMax = 1_024
}

/// A new market and its rules.
public struct MarketListing: Hashable, Sendable {
    public var symbol: MarketSymbol
    /// Prices are its multiples.
    public var tick: DecimalNumber
    /// Quantities are its multiples.
    public var lot: DecimalNumber
    public var quantityMin: DecimalNumber
    public var quantityMax: DecimalNumber
    public var priceMax: DecimalNumber
    public var feeRule: FeeRule
    public var selfTradeRule: SelfTradeRule
    /// By the tier of the account; at least one.
    public var fees: [TradingFees]

    public static let feeTierCountMax = 16

    public init(
        symbol: MarketSymbol, tick: DecimalNumber, lot: DecimalNumber, quantityMin: DecimalNumber,
        quantityMax: DecimalNumber, priceMax: DecimalNumber, feeRule: FeeRule = .received,
        selfTradeRule: SelfTradeRule = .cancelNewest, fees: [TradingFees]
    ) {
        self.symbol = symbol
        self.tick = tick
        self.lot = lot
        self.quantityMin = quantityMin
        self.quantityMax = quantityMax
        self.priceMax = priceMax
        self.feeRule = feeRule
        self.selfTradeRule = selfTradeRule
        self.fees = fees
    }
}

/// Money that comes in or goes out.
public struct Transfer: Hashable, Sendable {
    public var key: Identifier
    public var account: Identifier
    public var asset: AssetSymbol
    public var amount: DecimalNumber

    public init(key: Identifier, account: Identifier, asset: AssetSymbol, amount: DecimalNumber) {
        self.key = key
        self.account = account
        self.asset = asset
        self.amount = amount
    }
}

/// An order as its owner gives it.
public struct OrderRequest: Hashable, Sendable {
    public var account: Identifier
    /// The owner's own id of it, refused while the engine remembers another of the account with the same.
    public var clientOrderID: Identifier?
    public var market: MarketSymbol
    public var side: OrderSide
    public var kind: OrderKind
    public var timeInForce: TimeInForce
    /// Of a limit order.
    public var price: DecimalNumber?
    /// A market buy may leave it out: then it takes what its budget buys.
    public var quantity: DecimalNumber?
    /// What a market buy may spend, its fee included where that is paid in quote.
    public var budget: DecimalNumber?

    public init(
        account: Identifier, clientOrderID: Identifier? = nil, market: MarketSymbol, side: OrderSide,
        kind: OrderKind = .limit, timeInForce: TimeInForce = .goodTillCancelled, price: DecimalNumber? = nil,
        quantity: DecimalNumber? = nil, budget: DecimalNumber? = nil
    ) {
        self.account = account
        self.clientOrderID = clientOrderID
        self.market = market
        self.side = side
        self.kind = kind
        self.timeInForce = timeInForce
        self.price = price
        self.quantity = quantity
        self.budget = budget
    }
}

/// How the owner of an order names it.
public enum OrderReference: Hashable, Sendable {
    /// By the sequence of the record that accepted it.
    case number(UInt64)
    case clientOrderID(Identifier)
}

/// A change of an order in the book. What is left out stays.
///
/// An order whose quantity only shrinks keeps its place; any other is taken out and arrives anew, under its number.
public struct Amendment: Hashable, Sendable {
    public var account: Identifier
    public var order: OrderReference
    public var price: DecimalNumber?
    /// The whole quantity, what was filled included.
    public var quantity: DecimalNumber?

    public init(
        account: Identifier, order: OrderReference, price: DecimalNumber? = nil, quantity: DecimalNumber? = nil
    ) {
        self.account = account
        self.order = order
        self.price = price
        self.quantity = quantity
    }
}
