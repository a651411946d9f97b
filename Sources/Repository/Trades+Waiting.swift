import TradeModel

/// What people ask about trades that wait. In their order, so that it is read from the index of those that do.
extension TradeStore {
    static let waitingStatement = Statement(
        "trades_waiting",
        """
        select (select count(*) from (
                   select from trades where status = 'PENDING' order by received_seq limit $1) waiting),
               (select received_at from trades where status = 'PENDING' order by received_seq limit 1)
        """)

    /// How many trades are PENDING, up to a bound, and since when the oldest of them waits.
    public static var waiting: Request { Request(waitingStatement, [BoundedCount.limit()]) }

    static let waitingInMarketStatement = Statement(
        "trades_waiting_in_market",
        """
        select (select count(*) from (
                   select from trades where status = 'PENDING' and market = $2 order by received_seq limit $1) waiting),
               (select received_at from trades where status = 'PENDING' and market = $2 order by received_seq limit 1)
        """)

    /// The same, of one market's trades.
    public static func waiting(in market: MarketSymbol) -> Request {
        Request(waitingInMarketStatement, [BoundedCount.limit(), .text(market.text)])
    }

    static let waitingOfAccountStatement = Statement(
        "trades_waiting_of_account",
        """
        with waiting as (
            (select market, trade_id, received_at from trades
              where status = 'PENDING' and buyer_id = $2 order by received_seq limit $1)
            union
            (select market, trade_id, received_at from trades
              where status = 'PENDING' and seller_id = $2 order by received_seq limit $1))
        select least(count(*), $1), min(received_at) from waiting
        """)

    /// The same, of one account's trades.
    public static func waiting(of account: Identifier) -> Request {
        Request(waitingOfAccountStatement, [BoundedCount.limit(), .text(account.text)])
    }

    public static func decodeWaiting(_ rows: Rows) -> (count: BoundedCount, oldest: Timestamp?) {
        (BoundedCount(rows.int64(0, 0)), rows.optional(0, 1, rows.timestamp))
    }
}
