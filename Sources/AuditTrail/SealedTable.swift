/// What a seal covers, table by table, and what stands in a line of each: fields behind each other, with a tab between,
/// as `COPY … TO STDOUT` writes them.
///
/// Nothing is `\N`. In texts a backslash, tab, newline and the like are written with a backslash. Amounts are whole
/// numbers in the smallest unit of their asset; prices, quantities and fees stand as they were written; times are
/// microseconds since 1970 in UTC.
public enum SealedTable: String, CaseIterable, Sendable {
    case batches, entries, trades, operations, reversals
    /// Those that the others name: what a whole number means follows from them.
    case assets, markets

    /// The fields of a line. Lines are in the order of the first of them (of the batch and what names a row in it), by
    /// bytes where that is text.
    public var columns: [String] {
        switch self {
        case .batches:
            ["batch", "committed_at", "worker", "transaction", "trades", "operations", "rejected", "entries"]
        case .entries:
            [
                "batch", "place", "account_kind", "account", "asset", "version", "entry", "market", "cause",
                "available_change", "frozen_change", "available_after", "frozen_after",
            ]
        case .trades:
            [
                "batch", "market", "trade_id", "received_seq", "price", "quantity", "buyer_id", "seller_id",
                "buyer_fee", "seller_fee", "taker", "buy_order_id", "sell_order_id", "executed_at", "received_at",
                "settled_at", "stream", "seq",
            ]
        case .operations:
            [
                "batch", "key", "operation", "account_kind", "account", "asset", "amount", "stream", "seq", "order_id",
                "applied_at",
            ]
        case .reversals: ["batch", "market", "trade_id", "actor", "reason"]
        case .assets: ["asset", "decimals"]
        case .markets: ["market", "base", "quote", "fees"]
        }
    }

    /// For people: `ledger entries`.
    public var noun: String {
        switch self {
        case .batches: "batches"
        case .entries: "ledger entries"
        case .trades: "settled trades"
        case .operations: "operations"
        case .reversals: "reversals"
        case .assets: "assets"
        case .markets: "markets"
        }
    }
}

extension String {
    /// As a text stands in a line: the way in which COPY writes it.
    public var sealed: String {
        guard utf8.contains(where: { $0 == UInt8(ascii: "\\") || (8...13).contains($0) }) else { return self }
        let escapes: [Unicode.Scalar: String] = [
            "\\": "\\\\", "\u{8}": "\\b", "\t": "\\t", "\n": "\\n", "\u{B}": "\\v", "\u{C}": "\\f", "\r": "\\r",
        ]
        return unicodeScalars.reduce(into: "") { $0 += escapes[$1] ?? String($1) }
    }
}
