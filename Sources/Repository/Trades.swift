import TradeModel

public enum TradeStatus: String, Sendable, CaseIterable {
    case pending = "PENDING"
    case settled = "SETTLED"
    case failed = "FAILED"
}

/// A row of `trades`. Numbers that are none of ours (NaN, hundreds of digits) make its content unreadable.
public struct RecordedTrade: Sendable {
    public let key: TradeKey
    /// nil when the row holds something that no message could say.
    public let trade: Trade?
    public let status: TradeStatus
    public let receivedSequence: Int64
    public let attempts: Int
    public let batch: BatchNumber?
    public let receivedAt: Timestamp
    public let settledAt: Timestamp?
}

/// Table `trades`.
public enum TradeStore {
    static let columns = """
        t.market, t.trade_id, t.price, t.quantity, t.buyer_id, t.seller_id, t.buyer_fee, t.seller_fee,
        t.buy_order_id, t.sell_order_id, t.taker::text, t.executed_at, t.stream, t.stream_seq,
        t.status::text, t.received_seq, t.attempts, t.batch_no, t.received_at, t.settled_at
        """
    static let columnCount = columns.split(separator: ",").count

    static let readStatement = Statement(
        "trades_read",
        """
        select \(columns)
          from (select unnest($1) as market, unnest($2) as trade_id) wanted
          join trades t on t.market = wanted.market and t.trade_id = wanted.trade_id
        """)

    public static func read(_ keys: some Collection<TradeKey>) -> Request {
        Request(readStatement, [.texts(keys) { $0.market.text }, .texts(keys) { $0.id.text }])
    }

    static let findStatement = Statement(
        "trades_find", "select \(columns) from trades t where t.trade_id = $1 and ($2 is null or t.market = $2)")

    /// The trades of one id, in all markets or one.
    public static func find(_ id: Identifier, in market: MarketSymbol?) -> Request {
        Request(findStatement, [.text(id.text), .text(market?.text)])
    }

    public static func decode(_ rows: Rows) -> [RecordedTrade] {
        rows.indices.map { row in
            // Only symbols of markets have partitions; ids may have been written by anyone.
            let key = TradeKey(
                market: MarketSymbol(rows.string(row, 0))!, id: Identifier(stored: rows.string(row, 1)))
            return decode(rows, row, key)
        }
    }

    private static func decode(_ rows: Rows, _ row: Int, _ key: TradeKey) -> RecordedTrade {
        RecordedTrade(
            key: key, trade: decodeTrade(rows, row, market: key.market, id: Identifier(key.id.text)),
            status: TradeStatus(rawValue: rows.string(row, 14))!, receivedSequence: rows.int64(row, 15),
            attempts: Int(rows.int32(row, 16)), batch: rows.optional(row, 17, rows.int64),
            receivedAt: rows.timestamp(row, 18), settledAt: rows.optional(row, 19, rows.timestamp))
    }

    private static func decodeTrade(_ rows: Rows, _ row: Int, market: MarketSymbol, id: Identifier?) -> Trade? {
        guard let id, let price = rows.decimal(row, 2), let quantity = rows.decimal(row, 3),
            let buyer = Identifier(rows.string(row, 4)), let seller = Identifier(rows.string(row, 5)),
            let buyerFee = rows.decimal(row, 6), let sellerFee = rows.decimal(row, 7)
        else { return nil }
        return Trade(
            id: id, market: market, price: price, quantity: quantity, buyer: buyer, seller: seller,
            buyOrder: rows.optional(row, 8, rows.string).flatMap(Identifier.init),
            sellOrder: rows.optional(row, 9, rows.string).flatMap(Identifier.init),
            taker: rows.optional(row, 10, rows.string).flatMap(Side.init),
            buyerFee: buyerFee, sellerFee: sellerFee,
            executedAt: rows.optional(row, 11, rows.timestamp),
            stream: rows.optional(row, 12, rows.string).flatMap(Identifier.init),
            sequence: rows.optional(row, 13, rows.int64))
    }
}
