import TradeModel

/// A comparison of the books' trades with those that somebody else has, and what came of it.
public struct TradeReconciliation: Sendable {
    public enum Side: Sendable {
        case file(String)
        case engine(stream: Identifier, sequence: Int64, watermark: Int64)
    }

    public let side: Side
    public let startedAt: Timestamp
    public var tradeCount: Int64 = 0
    /// How many lines could not be read.
    public var refusedCount: Int64 = 0
    public private(set) var counts: [TradeFinding.Kind: Int64] = [:]
    /// The first of them.
    public private(set) var findings: [TradeFinding] = []

    public init(_ side: Side, startedAt: Timestamp) {
        self.side = side
        self.startedAt = startedAt
    }

    public var findingCount: Int64 { counts.values.reduce(0, +) }

    public mutating func add(_ found: some Collection<TradeFinding>) {
        for finding in found {
            counts[finding.kind, default: 0] += 1
            if findings.count < BalanceReconciliation.differenceCountMax { findings.append(finding) }
        }
    }
}
