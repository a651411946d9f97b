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

/// Trades that had no row yet, and what became of them: collected column by column, since copying each trade for each
/// column would cost more than all else.
public struct DecidedTrades {
    fileprivate var content: TradeContent
    fileprivate var status: ArrayColumn
    fileprivate var attempts: ArrayColumn
    fileprivate var delay: ArrayColumn
    public private(set) var count = 0
    public private(set) var settledCount = 0

    public init(countMax: Int) {
        content = TradeContent(countMax: countMax)
        status = ArrayColumn(.int4, countMax: countMax)
        attempts = ArrayColumn(.int4, countMax: countMax)
        delay = ArrayColumn(.int8, countMax: countMax)
    }

    public var isEmpty: Bool { count == 0 }

    /// - Parameter delayMilliseconds: how long it is left alone, where it waits.
    public mutating func append(
        _ trade: Trade, _ status: TradeStatus, attempts: Int, delayMilliseconds: Int? = nil
    ) {
        content.append(trade)
        self.status.append(TradeStore.statuses.number(of: status))
        self.attempts.append(Int32(attempts))
        delay.append(delayMilliseconds.map(Int64.init))
        count += 1
        if status == .settled { settledCount += 1 }
    }
}

/// What trades say, in the order of ``TradeStore/contentColumns``.
struct TradeContent {
    private var market, id, price, quantity, buyer, seller, buyerFee, sellerFee: ArrayColumn
    private var buyOrder, sellOrder, taker, executedAt, stream, sequence: ArrayColumn

    init(countMax: Int) {
        let text = { ArrayColumn(.text, countMax: countMax) }
        let numeric = { ArrayColumn(.numeric, countMax: countMax) }
        (market, id, price, quantity) = (text(), text(), numeric(), numeric())
        (buyer, seller, buyerFee, sellerFee) = (text(), text(), numeric(), numeric())
        (buyOrder, sellOrder, taker) = (text(), text(), ArrayColumn(.int4, countMax: countMax))
        executedAt = ArrayColumn(.timestamptz, countMax: countMax)
        (stream, sequence) = (text(), ArrayColumn(.int8, countMax: countMax))
    }

    mutating func append(_ trade: Trade) {
        market.append(trade.market.text)
        id.append(trade.id.text)
        price.append(trade.price)
        quantity.append(trade.quantity)
        buyer.append(trade.buyer.text)
        seller.append(trade.seller.text)
        buyerFee.append(trade.buyerFee)
        sellerFee.append(trade.sellerFee)
        buyOrder.append(trade.buyOrder?.text)
        sellOrder.append(trade.sellOrder?.text)
        taker.append(trade.taker.map { TradeStore.sides.number(of: $0) })
        executedAt.append(trade.executedAt)
        stream.append(trade.stream?.text)
        sequence.append(trade.sequence)
    }

    var parameters: [Parameter] {
        [
            market, id, price, quantity, buyer, seller, buyerFee, sellerFee, buyOrder, sellOrder, taker, executedAt,
            stream, sequence,
        ].map(\.parameter.emptyIfNull)
    }
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

    // MARK: Storing

    fileprivate static let sides = EnumColumn<Side>(type: "trade_side")
    fileprivate static let statuses = EnumColumn<TradeStatus>(type: "trade_status")

    static let contentColumns = """
        market, trade_id, price, quantity, buyer_id, seller_id, buyer_fee, seller_fee,
        buy_order_id, sell_order_id, taker, executed_at, stream, stream_seq
        """
    static let contentValues = """
        unnest($1), unnest($2), unnest($3), unnest($4), unnest($5), unnest($6), unnest($7), unnest($8),
        unnest($9), unnest($10), \(sides.sql("unnest($11)")), unnest($12), unnest($13), unnest($14)
        """

    static func content(_ trades: [Trade]) -> [Parameter] {
        var content = TradeContent(countMax: trades.count)
        for trade in trades { content.append(trade) }
        return content.parameters
    }

    static let insertStatement = Statement(
        "trades_insert",
        """
        insert into trades (\(contentColumns), status, attempts, batch_no, received_seq, settled_at, not_before)
        select \(contentColumns), status, attempts, case status when 'PENDING' then null else $17 end, received_seq,
               case status when 'SETTLED' then now() end,
               clock_timestamp() + delay * interval '1 millisecond'
          from (select arrived.*, nextval('received_numbers') as received_seq
                  from (select \(contentValues), \(statuses.sql("unnest($15)")), unnest($16), unnest($18))
                    as arrived (\(contentColumns), status, attempts, delay)) numbered
         order by market collate "C", trade_id collate "C"
        """)

    /// Claims the ids of trades that are decided in this transaction. An id that exists fails the statement.
    ///
    /// Places in line are given in the order of arrival. Ids are claimed in the order of their keys, whatever was
    /// decided: two batches that decide the same trades differently must not wait for each other.
    public static func insert(_ decided: DecidedTrades, batch: BatchNumber) -> Request {
        Request(
            insertStatement,
            decided.content.parameters + [
                decided.status.parameter, decided.attempts.parameter, .int8(batch), decided.delay.parameter.emptyIfNull,
            ])
    }

    static let acceptStatement = Statement(
        "trades_accept",
        """
        insert into trades (\(contentColumns), received_seq)
        select * from (select \(contentValues), nextval('received_numbers')) t (\(contentColumns), received_seq)
         order by market collate "C", trade_id collate "C"
            on conflict (market, trade_id) do nothing returning market, trade_id
        """)

    /// Stores trades as PENDING and returns the keys of those that were not there before.
    ///
    /// They are numbered in the order given and written in the order of their keys, as everybody writes them: two
    /// who store the same trades wait for each other in one direction only.
    public static func accept(_ trades: [Trade]) -> Request {
        Request(acceptStatement, content(trades))
    }

    public static func decodeKeys(_ rows: Rows) -> [TradeKey] {
        rows.indices.map { row in
            TradeKey(market: MarketSymbol(rows.string(row, 0))!, id: Identifier(rows.string(row, 1))!)
        }
    }
}
