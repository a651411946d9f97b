import TradeModel

/// Trades that are PENDING, in numbers.
public struct WaitingTrades: Sendable {
    public let count: BoundedCount
    /// Since when the oldest of them waits.
    public let oldest: Timestamp?
    /// The time as the database has it.
    public let now: Timestamp

    /// How long the oldest of them has waited, by the clock that says since when.
    public var age: Duration? { oldest.map { .microseconds(max(0, now.microseconds - $0.microseconds)) } }
}

/// What people ask about trades that wait. In their order, so that it is read from the index of those that do.
extension TradeStore {
    static let waitingStatement = Statement(
        "trades_waiting",
        """
        select (select count(*) from (
                   select from trades where status = 'PENDING' order by received_seq limit $1) waiting),
               (select received_at from trades where status = 'PENDING' order by received_seq limit 1),
               clock_timestamp()
        """)

    /// How many trades are PENDING, up to a bound, and since when the oldest of them waits.
    public static var waiting: Request { Request(waitingStatement, [BoundedCount.limit()]) }

    static let waitingInMarketStatement = Statement(
        "trades_waiting_in_market",
        """
        select (select count(*) from (
                   select from trades where status = 'PENDING' and market = $2 order by received_seq limit $1) waiting),
               (select received_at from trades where status = 'PENDING' and market = $2 order by received_seq limit 1),
               clock_timestamp()
        """)

    /// The same, of one market's trades.
    public static func waiting(in market: MarketSymbol) -> Request {
        Request(waitingInMarketStatement, [BoundedCount.limit(), .text(market.text)])
    }

    // One step along the index of each market, however many trades of halted ones lie before.
    static let waitingWhereOpenStatement = Statement(
        "trades_waiting_where_open",
        """
        select coalesce(sum(w.count), 0)::bigint, min(w.received_at), clock_timestamp()
          from markets m, lateral (
               select (select count(*) from (
                           select from trades t where t.status = 'PENDING' and t.market = m.symbol
                            order by t.received_seq limit $1) waiting) as count,
                      (select t.received_at from trades t where t.status = 'PENDING' and t.market = m.symbol
                        order by t.received_seq limit 1) as received_at) w
         where not m.halted
        """)

    /// The same, of the markets that are not halted.
    public static var waitingWhereOpen: Request { Request(waitingWhereOpenStatement, [BoundedCount.limit()]) }

    static let waitingOfAccountStatement = Statement(
        "trades_waiting_of_account",
        """
        with waiting as (
            (select market, trade_id, received_at from trades
              where status = 'PENDING' and buyer_id = $2 order by received_seq limit $1)
            union
            (select market, trade_id, received_at from trades
              where status = 'PENDING' and seller_id = $2 order by received_seq limit $1))
        select least(count(*), $1), min(received_at), clock_timestamp() from waiting
        """)

    /// The same, of one account's trades.
    public static func waiting(of account: Identifier) -> Request {
        Request(waitingOfAccountStatement, [BoundedCount.limit(), .text(account.text)])
    }

    public static func decodeWaiting(_ rows: Rows) -> WaitingTrades {
        WaitingTrades(
            count: BoundedCount(rows.int64(0, 0)), oldest: rows.optional(0, 1, rows.timestamp),
            now: rows.timestamp(0, 2))
    }
}
