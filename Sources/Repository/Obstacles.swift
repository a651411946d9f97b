import TradeModel

/// What operators have put in the way of settling: accounts that are frozen or closed, markets that are halted, and
/// letters that are not to settle by coming again.
public struct Obstacles: Sendable, Equatable {
    public var accounts: Set<AccountNumber> = []
    public var markets: Set<MarketNumber> = []
    /// Markets that have letters without a row which operators have decided, of those that were not known to have any.
    public var marketsWithLetters: Set<MarketNumber> = []

    public init() {}
}

/// Asks for them in one statement, at the end of each batch.
public enum ObstacleStore {
    /// The two reasons for which a market settles nothing are asked for apart: with an `or` between them there would be
    /// no index to go by.
    static let findStatement = Statement(
        "obstacles_find",
        """
        select account_no, null::integer, null::integer from accounts
         where status <> 'active' and account_no = any ($1)
        union all
        select null, market_no, null from markets where halted
        union all
        select null, m.market_no, null from queue_control q, markets m where q.singleton and q.sealed
        union all
        select null, null, m.market_no from markets m
         where m.market_no = any ($2)
           and (\(DeadLetterStore.isAnyDecidedWithoutRow(inMarket: "m.symbol")))
        """)

    /// Those of the accounts that are not active, and all markets that are halted: each of them where the queue is
    /// sealed.
    ///
    /// - Parameter markets: those that are not known to have letters without a row.
    public static func find(
        among accounts: some Collection<AccountNumber>, markets: some Collection<MarketNumber>
    ) -> Request {
        Request(findStatement, [.int8s(accounts) { $0 }, .int4s(markets) { $0 }])
    }

    public static func decode(_ rows: Rows) -> Obstacles {
        var obstacles = Obstacles()
        for row in rows.indices {
            if !rows.isNull(row, 0) { obstacles.accounts.insert(rows.int64(row, 0)) }
            if !rows.isNull(row, 1) { obstacles.markets.insert(rows.int32(row, 1)) }
            if !rows.isNull(row, 2) { obstacles.marketsWithLetters.insert(rows.int32(row, 2)) }
        }
        return obstacles
    }
}
