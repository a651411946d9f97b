/// The side of an order.
public enum OrderSide: UInt8, Sendable, CaseIterable, BitwiseCopyable {
    case buy = 0
    case sell = 1

    public var opposite: OrderSide { self == .buy ? .sell : .buy }
    public var name: String { self == .buy ? "buy" : "sell" }
}

/// Whether an order names its price.
public enum OrderKind: UInt8, Sendable, CaseIterable {
    /// Trades at its price or better.
    case limit = 0
    /// Trades at whatever the book offers; what finds nobody expires.
    case market = 1

    public var name: String { self == .limit ? "limit" : "market" }
}

/// How long an order may wait for somebody to trade with.
public enum TimeInForce: UInt8, Sendable, CaseIterable {
    /// Until it is cancelled.
    case goodTillCancelled = 0
    /// Not at all: what is not traded at once expires.
    case immediateOrCancel = 1
    /// Not at all, and all of it or nothing.
    case fillOrKill = 2
    /// Until it is cancelled, and it must not take: one that would trade at once is rejected.
    case postOnly = 3

    public var name: String {
        switch self {
        case .goodTillCancelled: "gtc"
        case .immediateOrCancel: "ioc"
        case .fillOrKill: "fok"
        case .postOnly: "post_only"
        }
    }
}

/// What happens when an order meets one of the same account.
public enum SelfTradeRule: UInt8, Sendable, CaseIterable {
    /// They trade.
    case allow = 0
    /// The arriving order ends.
    case cancelNewest = 1
    /// The resting order ends, and the arriving one goes on.
    case cancelOldest = 2
    /// Both end.
    case cancelBoth = 3

    public var name: String {
        switch self {
        case .allow: "allow"
        case .cancelNewest: "cancel_newest"
        case .cancelOldest: "cancel_oldest"
        case .cancelBoth: "cancel_both"
        }
    }
}

/// What a trade costs each side, in millionths of what it is taken from. A negative fee is a rebate from the house.
public struct TradingFees: Hashable, Sendable {
    /// For the order that was in the book.
    public var maker: Int32
    /// For the order that arrived.
    public var taker: Int32

    /// All of it, given or taken.
    public static let millionthsMax: Int32 = 1_000_000

    public init(maker: Int32, taker: Int32) {
        self.maker = maker
        self.taker = taker
    }
}

/// Where an order stands. Its first state is new, unless it was rejected.
public enum OrderState: UInt8, Sendable, CaseIterable {
    case new = 0
    case partiallyFilled = 1
    case filled = 2
    case cancelled = 3
    case rejected = 4
    case expired = 5

    public var name: String {
        switch self {
        case .new: "new"
        case .partiallyFilled: "partially_filled"
        case .filled: "filled"
        case .cancelled: "cancelled"
        case .rejected: "rejected"
        case .expired: "expired"
        }
    }

    /// Whether nothing can happen to it any more.
    public var isFinal: Bool { self != .new && self != .partiallyFilled }
}

/// Why an order came into its state, where that does not go without saying.
public enum OrderStateCause: UInt8, Sendable, CaseIterable {
    case none = 0
    /// Its owner asked for it.
    case asked = 1
    /// It met an order of the same account.
    case selfTrade = 2
    /// Nobody was there to trade the rest with, and it may not wait; or its budget is spent.
    case unfilled = 3
    /// It met more orders than one command may.
    case matchLimit = 4

    public var name: String {
        switch self {
        case .none: "none"
        case .asked: "asked"
        case .selfTrade: "self_trade"
        case .unfilled: "unfilled"
        case .matchLimit: "match_limit"
        }
    }
}

/// Which of a market's two assets an amount is of.
public enum MarketAsset: UInt8, Sendable, CaseIterable {
    case base = 0
    case quote = 1
}
