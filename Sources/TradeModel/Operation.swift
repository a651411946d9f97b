/// A change of one account's money that is not a trade. It has effect once for its key.
public struct Operation: Hashable, Sendable {
    public enum Kind: String, Sendable, CaseIterable {
        /// Money comes in from the outside world.
        case deposit
        /// Money goes out to it.
        case withdrawal
        /// Available money is held for an order.
        case reserve
        /// Held money becomes available again.
        case release
    }

    public var key: Identifier
    public var kind: Kind
    public var account: Identifier
    public var asset: AssetSymbol
    public var amount: DecimalNumber
    /// The order that a reserve or a release is for.
    public var order: OrderKey?

    public init(
        key: Identifier, kind: Kind, account: Identifier, asset: AssetSymbol, amount: DecimalNumber,
        order: OrderKey? = nil
    ) {
        self.key = key
        self.kind = kind
        self.account = account
        self.asset = asset
        self.amount = amount
        self.order = order
    }
}

/// An order is known by its id within the stream of its engine. A message that names no stream belongs to
/// the unnamed one.
public struct OrderKey: Hashable, Sendable, Comparable {
    public let stream: Identifier?
    public let order: Identifier

    public init(stream: Identifier?, order: Identifier) {
        self.stream = stream
        self.order = order
    }

    public static func < (left: OrderKey, right: OrderKey) -> Bool {
        if left.stream == right.stream { return left.order < right.order }
        guard let leftStream = left.stream else { return true }
        guard let rightStream = right.stream else { return false }
        return leftStream < rightStream
    }
}
