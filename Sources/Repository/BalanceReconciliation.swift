import TradeModel

/// A comparison of an engine's balances with the ledger's at one record, and what came of it.
public struct BalanceReconciliation: Sendable {
    /// A balance that is not the same on both sides, in plain decimals.
    public struct Difference: Sendable {
        public let kind: AccountKind
        public let account: Identifier
        public let asset: AssetSymbol
        public let decimals: Int
        public let engine: Money
        public let ledger: Money
        /// What explains it, where something does.
        public var explanation: String?

        public init(
            kind: AccountKind, account: Identifier, asset: AssetSymbol, decimals: Int, engine: Money, ledger: Money
        ) {
            self.kind = kind
            self.account = account
            self.asset = asset
            self.decimals = decimals
            self.engine = engine
            self.ledger = ledger
        }
    }

    public struct Money: Sendable, Hashable {
        public var available: Amount
        public var held: Amount

        public static let nothing = Money(available: .zero, held: .zero)

        public init(available: Amount, held: Amount) {
            self.available = available
            self.held = held
        }
    }

    public var stream: Identifier
    public var sequence: Int64
    public var watermark: Int64
    public var startedAt: Timestamp
    public var accountCount: Int64 = 0
    public var balanceCount: Int64 = 0
    /// All of them; the first so many are kept.
    public private(set) var differenceCount: Int64 = 0
    public var differences: [Difference] = []

    public static let differenceCountMax = 1_000

    public init(stream: Identifier, sequence: Int64, watermark: Int64, startedAt: Timestamp) {
        self.stream = stream
        self.sequence = sequence
        self.watermark = watermark
        self.startedAt = startedAt
    }

    public mutating func add(_ difference: Difference) {
        differenceCount += 1
        if differences.count < Self.differenceCountMax { differences.append(difference) }
    }
}
