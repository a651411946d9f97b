import TradeModel

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

/// How trades come into the table.
extension TradeStore {
    fileprivate static let sides = EnumColumn<Side>("trade_side")
    fileprivate static let statuses = EnumColumn<TradeStatus>("trade_status")

    static let contentColumns = """
        market, trade_id, price, quantity, buyer_id, seller_id, buyer_fee, seller_fee,
        buy_order_id, sell_order_id, taker, executed_at, stream, stream_seq
        """
    /// The SQL for the values of these columns.
    ///
    /// - Parameter element: the SQL that takes from an array what is wanted of it.
    private static func values(taking element: (_ parameter: String) -> String) -> String {
        (1...14).map { $0 == 11 ? sides.sql(element("$11")) : element("$\($0)") }.joined(separator: ", ")
    }

    static let contentValues = values { "unnest(\($0))" }
    private static let onlyValues = values { "(\($0))[1]" }

    static func content(_ trades: [Trade]) -> [Parameter] {
        var content = TradeContent(countMax: trades.count)
        for trade in trades { content.append(trade) }
        return content.parameters
    }

    static let insertStatement = Statement(
        "trades_insert",
        """
        insert into trades (\(contentColumns), status, attempts, batch_no, received_seq, settled_at, not_before)
        select \(contentColumns), status, attempts,
               case status when 'PENDING' then null else \(BatchStore.numberAtHand) end, received_seq,
               case status when 'SETTLED' then now() end,
               clock_timestamp() + delay * interval '1 millisecond'
          from (select arrived.*, nextval('received_numbers') as received_seq
                  from (select \(contentValues), \(statuses.sql("unnest($15)")), unnest($16), unnest($17))
                    as arrived (\(contentColumns), status, attempts, delay)) numbered
         order by market collate "C", trade_id collate "C"
        """)

    /// The same for a single trade, without what numbers and sorts many, which is a third of the work then.
    static let insertOneStatement = Statement(
        "trades_insert_one",
        """
        insert into trades (\(contentColumns), status, attempts, batch_no, received_seq, settled_at, not_before)
        values (\(onlyValues), \(statuses.sql("($15)[1]")), ($16)[1],
                case ($15)[1] when \(statuses.number(of: .pending)) then null else \(BatchStore.numberAtHand) end,
                nextval('received_numbers'),
                case ($15)[1] when \(statuses.number(of: .settled)) then now() end,
                clock_timestamp() + ($17)[1] * interval '1 millisecond')
        """)

    /// Claims the ids of trades that are decided in this transaction. An id that exists fails the statement.
    ///
    /// Places in line are given in the order of arrival. Ids are claimed in the order of their keys, whatever was
    /// decided: two batches that decide the same trades differently must not wait for each other.
    public static func insert(_ decided: DecidedTrades) -> Request {
        Request(
            decided.count == 1 ? insertOneStatement : insertStatement,
            decided.content.parameters + [
                decided.status.parameter, decided.attempts.parameter, decided.delay.parameter.emptyIfNull,
            ])
    }

    static let acceptStatement = Statement(
        "trades_accept",
        """
        insert into trades (\(contentColumns), received_seq)
        select * from (select \(contentValues), nextval('received_numbers')) t (\(contentColumns), received_seq)
         order by market collate "C", trade_id collate "C", received_seq
            on conflict (market, trade_id) do nothing returning market, trade_id
        """)

    /// Stores trades as PENDING and returns the keys of those that were not there before.
    ///
    /// They are numbered in the order given and written in the order of their keys, as everybody writes them: two
    /// who store the same trades wait for each other in one direction only. Of two of one key the first is stored.
    public static func accept(_ trades: [Trade]) -> Request {
        Request(acceptStatement, content(trades))
    }

    public static func decodeKeys(_ rows: Rows) -> [TradeKey] {
        rows.indices.map { row in
            TradeKey(market: MarketSymbol(rows.string(row, 0))!, id: Identifier(rows.string(row, 1))!)
        }
    }
}
