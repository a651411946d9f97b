import TradeModel

/// Rows that wait: who works on them, and when they are looked at again.
extension TradeStore {
    /// Rows that nobody works on. A heartbeat far in the future is that of a worker that died before the clock was put
    /// back.
    private static let isFree = """
        t.status = 'PENDING' and (t.not_before is null or t.not_before <= clock_timestamp())
        and (t.claimed_by is null or not exists (
            select from workers w where w.worker_no = t.claimed_by
               and abs(extract(epoch from clock_timestamp() - w.heartbeat_at)) * 1000 < $3))
        """
    private static let isRunning = "not (select paused from queue_control)"

    /// Claims are marks that commit at once; whoever settles a row asks again whether it is still PENDING.
    static let claimStatement = Statement(
        "trades_claim",
        """
        with free as (
            select market, trade_id from trades t where \(isRunning) and \(isFree)
             order by received_seq limit $2 for update skip locked),
        claimed as (
            update trades t set claimed_by = $1 from free
             where t.market = free.market and t.trade_id = free.trade_id returning t.*)
        select \(columns) from claimed t order by t.received_seq
        """)

    /// The same where markets are halted. It looks into each of the others, and never walks through what waits in
    /// those, however much that is.
    static let claimElsewhereStatement = Statement(
        "trades_claim_elsewhere",
        """
        with free as (
            select t.market, t.trade_id
              from (select waiting.market, waiting.trade_id
                      from markets m cross join lateral (
                           select t.market, t.trade_id, t.received_seq from trades t
                            where t.market = m.symbol and \(isFree) order by t.received_seq limit $2) waiting
                     where \(isRunning) and not m.halted order by waiting.received_seq limit $2) first
              join trades t on t.market = first.market and t.trade_id = first.trade_id
             where \(isFree) for update of t skip locked),
        claimed as (
            update trades t set claimed_by = $1 from free
             where t.market = free.market and t.trade_id = free.trade_id returning t.*)
        select \(columns) from claimed t order by t.received_seq
        """)

    /// - Parameter hasHaltedMarkets: whether a market is known to be halted.
    public static func claim(
        worker: Int64, limit: Int, heartbeatTimeoutMilliseconds: Int, hasHaltedMarkets: Bool = false
    ) -> Request {
        Request(
            hasHaltedMarkets ? claimElsewhereStatement : claimStatement,
            [.int8(worker), .int8(Int64(limit)), .int8(Int64(heartbeatTimeoutMilliseconds))])
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
           set status = c.status::trade_status, batch_no = \(BatchStore.numberAtHand), claimed_by = null,
               not_before = null,
               attempts = least(t.attempts::bigint + c.attempts, 2147483647),
               settled_at = case c.status when 'SETTLED' then now() end
          from (select unnest($1) as market, unnest($2) as trade_id, unnest($3) as status,
                       unnest($4) as attempts, unnest($5) as place) c
         where t.market = c.market and t.trade_id = c.trade_id and t.status::text = 'PENDING'
           and t.received_seq = c.place
        """)

    /// A row that waited and is decided. Its place in line says that it is the row that was read: whoever retries a
    /// trade, perhaps with other content, or stores it anew gives it another place.
    public struct FinishedTrade: Sendable {
        public let key: TradeKey
        public let place: Int64
        public let status: TradeStatus
        public let attempts: Int

        public init(_ key: TradeKey, place: Int64, _ status: TradeStatus, attempts: Int) {
            self.key = key
            self.place = place
            self.status = status
            self.attempts = attempts
        }
    }

    /// Settles or fails rows that waited; a row that no longer waits is not counted, and the caller rolls back.
    public static func finishWaiting(_ trades: [FinishedTrade]) -> Request {
        Request(
            finishWaitingStatement,
            [
                .texts(trades) { $0.key.market.text }, .texts(trades) { $0.key.id.text },
                .texts(trades) { $0.status.rawValue }, .int4s(trades) { Int32($0.attempts) },
                .int8s(trades) { $0.place },
            ])
    }

    /// A quarter of its age is in milliseconds what 250 times its age is in seconds.
    ///
    /// What waits for an older trade can only be decided with it or after it, so the two must not fall due apart. Each
    /// row falls due at the next point of a grid that all share, whose points lie the largest power of two of
    /// milliseconds apart that the delay allows: the points of a wide grid are points of each narrower one, so an older
    /// row never falls due without the younger ones that wait for it.
    static let deferStatement = Statement(
        "trades_defer",
        """
        update trades t
           set claimed_by = null,
               not_before = case when not c.is_held then
                   (select date_bin(step, now.at, 'epoch') + step
                      from (select clock_timestamp() as at) now,
                           lateral (
                               select greatest($4, least($5, extract(epoch from now.at - t.received_at) * 250))::numeric
                                           as delay) d,
                           lateral (select interval '1 millisecond' * 2 ^ floor(log(2, d.delay)) as step) s) end
          from (select unnest($1) as market, unnest($2) as trade_id, unnest($3) as is_held) c
         where t.market = c.market and t.trade_id = c.trade_id and t.status::text = 'PENDING'
        """)

    /// Puts claimed rows back, to be looked at again a little later: within a quarter of the time that they have waited
    /// for, between the two delays. Those that are held are looked at as soon as nobody holds them any more.
    public static func putBack(
        _ rows: [(key: TradeKey, isHeld: Bool)], delayMilliseconds: Int, delayMillisecondsMax: Int
    ) -> Request {
        Request(
            deferStatement,
            [
                .texts(rows) { $0.key.market.text }, .texts(rows) { $0.key.id.text }, .bools(rows) { $0.isHeld },
                .int8(Int64(delayMilliseconds)), .int8(Int64(max(delayMilliseconds, delayMillisecondsMax))),
            ])
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
