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

/// A trade that had no row yet, and what became of it.
public struct DecidedTrade: Sendable {
    public let trade: Trade
    public let status: TradeStatus
    public let attempts: Int

    public init(_ trade: Trade, _ status: TradeStatus, attempts: Int) {
        self.trade = trade
        self.status = status
        self.attempts = attempts
    }
}

/// Table `trades`.
public enum TradeStore {
    static let columns = """
        t.market, t.trade_id, t.price, t.quantity, t.buyer_id, t.seller_id, t.buyer_fee, t.seller_fee,
        t.buy_order_id, t.sell_order_id, t.taker::text, t.executed_at, t.stream, t.stream_seq,
        t.status::text, t.received_seq, t.attempts, t.batch_no, t.received_at, t.settled_at
        """

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

    static let listStatement = Statement(
        "trades_list",
        """
        select \(columns) from trades t
         where ($1 is null or t.status = $1::trade_status) and ($2 is null or t.market = $2)
           and ($3 is null or t.received_at >= $3) and t.received_seq > $4
         order by t.received_seq limit $5
        """)

    public static func list(
        status: TradeStatus?, market: MarketSymbol?, since: Timestamp?, after: Int64, limit: Int
    ) -> Request {
        Request(
            listStatement,
            [.text(status?.rawValue), .text(market?.text), .timestamp(since), .int8(after), .int8(Int64(limit))])
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

    static let contentColumns = """
        market, trade_id, price, quantity, buyer_id, seller_id, buyer_fee, seller_fee,
        buy_order_id, sell_order_id, taker, executed_at, stream, stream_seq
        """
    static let contentValues = """
        unnest($1), unnest($2), unnest($3), unnest($4), unnest($5), unnest($6), unnest($7), unnest($8),
        unnest($9), unnest($10), unnest($11)::trade_side, unnest($12), unnest($13), unnest($14)
        """

    static func content(_ trades: [Trade]) -> [Parameter] {
        [
            .texts(trades) { $0.market.text }, .texts(trades) { $0.id.text },
            .decimals(trades) { $0.price }, .decimals(trades) { $0.quantity },
            .texts(trades) { $0.buyer.text }, .texts(trades) { $0.seller.text },
            .decimals(trades) { $0.buyerFee }, .decimals(trades) { $0.sellerFee },
            .texts(trades) { $0.buyOrder?.text }, .texts(trades) { $0.sellOrder?.text },
            .texts(trades) { $0.taker?.rawValue }, .timestamps(trades) { $0.executedAt },
            .texts(trades) { $0.stream?.text }, .int8s(trades) { $0.sequence },
        ]
    }

    static let insertStatement = Statement(
        "trades_insert",
        """
        insert into trades (\(contentColumns), status, attempts, batch_no, received_seq, settled_at, not_before)
        select \(contentColumns), status, attempts, case status when 'PENDING' then null else $17 end, received_seq,
               case status when 'SETTLED' then now() end,
               case status when 'PENDING' then clock_timestamp() + $18 * interval '1 millisecond' end
          from (select arrived.*, nextval('received_numbers') as received_seq
                  from (select \(contentValues), unnest($15)::trade_status, unnest($16))
                    as arrived (\(contentColumns), status, attempts)) numbered
         order by market collate "C", trade_id collate "C"
        """)

    /// Claims the ids of trades that are decided in this transaction. An id that exists fails the statement.
    ///
    /// Places in line are given in the order of arrival. Ids are claimed in the order of their keys, whatever was
    /// decided: two batches that decide the same trades differently must not wait for each other.
    public static func insert(_ decided: [DecidedTrade], batch: BatchNumber, delayMilliseconds: Int) -> Request {
        Request(
            insertStatement,
            content(decided.map(\.trade)) + [
                .texts(decided) { $0.status.rawValue }, .int4s(decided) { Int32($0.attempts) }, .int8(batch),
                .int8(Int64(delayMilliseconds)),
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

    // MARK: Rows that wait

    /// Claims are marks that commit at once; whoever settles a row asks again whether it is still PENDING. A heartbeat
    /// far in the future is that of a worker that died before the clock was put back.
    static let claimStatement = Statement(
        "trades_claim",
        """
        with free as (
            select market, trade_id from trades
             where status = 'PENDING' and (not_before is null or not_before <= clock_timestamp())
               and (claimed_by is null or not exists (
                    select from workers w where w.worker_no = claimed_by
                       and abs(extract(epoch from clock_timestamp() - w.heartbeat_at)) * 1000 < $3))
             order by received_seq limit $2 for update skip locked),
        claimed as (
            update trades t set claimed_by = $1 from free
             where t.market = free.market and t.trade_id = free.trade_id returning t.*)
        select \(columns) from claimed t order by t.received_seq
        """)

    public static func claim(worker: Int64, limit: Int, heartbeatTimeoutMilliseconds: Int) -> Request {
        Request(
            claimStatement, [.int8(worker), .int8(Int64(limit)), .int8(Int64(heartbeatTimeoutMilliseconds))])
    }

    // Status is compared as text below, so that no statistics make PostgreSQL walk the index of all rows that wait
    // instead of looking up each key: before the first ANALYZE that index is believed to be empty.

    static let releaseClaimsStatement = Statement(
        "trades_release_claims",
        """
        update trades t set claimed_by = null
          from (select unnest($1) as market, unnest($2) as trade_id) r
         where t.market = r.market and t.trade_id = r.trade_id and t.status::text = 'PENDING' and t.claimed_by = $3
        """)

    public static func releaseClaims(_ keys: [TradeKey], worker: Int64) -> Request {
        Request(
            releaseClaimsStatement,
            [.texts(keys) { $0.market.text }, .texts(keys) { $0.id.text }, .int8(worker)])
    }

    static let releaseAllClaimsStatement = Statement(
        "trades_release_all_claims",
        """
        with claimed as (
            select market, trade_id from trades where status = 'PENDING' and claimed_by = $1
               for update skip locked)
        update trades t set claimed_by = null from claimed c where t.market = c.market and t.trade_id = c.trade_id
        """)

    /// Frees whatever a worker has claimed. What it is settling at this moment stays as it is.
    public static func releaseAllClaims(of worker: Int64) -> Request {
        Request(releaseAllClaimsStatement, [.int8(worker)])
    }

    static let finishWaitingStatement = Statement(
        "trades_finish_waiting",
        """
        update trades t
           set status = c.status::trade_status, batch_no = $5, claimed_by = null, not_before = null,
               attempts = least(t.attempts::bigint + c.attempts, 2147483647), settled_at = case c.status when 'SETTLED' then now() end
          from (select unnest($1) as market, unnest($2) as trade_id, unnest($3) as status,
                       unnest($4) as attempts) c
         where t.market = c.market and t.trade_id = c.trade_id and t.status::text = 'PENDING'
        """)

    /// Settles or fails rows that waited; a row that no longer waits is not counted, and the caller rolls back.
    public static func finishWaiting(
        _ trades: [(key: TradeKey, status: TradeStatus, attempts: Int)], batch: BatchNumber
    ) -> Request {
        Request(
            finishWaitingStatement,
            [
                .texts(trades) { $0.key.market.text }, .texts(trades) { $0.key.id.text },
                .texts(trades) { $0.status.rawValue }, .int4s(trades) { Int32($0.attempts) }, .int8(batch),
            ])
    }

    static let deferStatement = Statement(
        "trades_defer",
        """
        update trades t
           set claimed_by = null, not_before = clock_timestamp() + $3 * interval '1 millisecond'
          from (select unnest($1) as market, unnest($2) as trade_id) c
         where t.market = c.market and t.trade_id = c.trade_id and t.status::text = 'PENDING'
        """)

    /// Puts claimed rows back, to be looked at again a little later.
    public static func putBack(_ keys: [TradeKey], delayMilliseconds: Int) -> Request {
        Request(
            deferStatement,
            [.texts(keys) { $0.market.text }, .texts(keys) { $0.id.text }, .int8(Int64(delayMilliseconds))])
    }

    static let oldestWaitingStatement = Statement(
        "trades_oldest_waiting",
        """
        select wanted.id,
               least((select t.received_seq from trades t
                       where t.status = 'PENDING' and t.buyer_id = wanted.id and t.received_seq <> all ($2)
                       order by t.received_seq limit 1),
                     (select t.received_seq from trades t
                       where t.status = 'PENDING' and t.seller_id = wanted.id and t.received_seq <> all ($2)
                       order by t.received_seq limit 1)) as oldest
          from (select unnest($1) as id) wanted
        """)

    /// The place in line of each account's oldest PENDING trade, those of the batch at hand left out.
    public static func oldestWaiting(of accounts: some Collection<Identifier>, except: some Collection<Int64>)
        -> Request
    {
        Request(oldestWaitingStatement, [.texts(accounts) { $0.text }, .int8s(except) { $0 }])
    }

    public static func decodeOldestWaiting(_ rows: Rows) -> [Identifier: Int64] {
        var oldest: [Identifier: Int64] = [:]
        for row in rows.indices where !rows.isNull(row, 1) {
            oldest[Identifier(rows.string(row, 0))!] = rows.int64(row, 1)
        }
        return oldest
    }
}
