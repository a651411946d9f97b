import TradeModel

/// What operators have put in the way of settling: accounts that are frozen or closed, and markets that are halted.
public struct Obstacles: Sendable, Equatable {
    public var accounts: Set<AccountNumber> = []
    public var markets: Set<MarketNumber> = []

    public init() {}
}

/// Asks for them in one statement, at the end of each batch.
public enum ObstacleStore {
    /// The two reasons for which a market settles nothing are asked for apart: with an `or` between them there would be
    /// no index to go by.
    static let findStatement = Statement(
        "obstacles_find",
        """
        select account_no, null::integer from accounts where status <> 'active' and account_no = any ($1)
        union all
        select null, market_no from markets where halted
        union all
        select null, m.market_no from queue_control q, markets m where q.singleton and q.sealed
        """)

    /// Those of the accounts that are not active, and all markets that are halted: each of them where the queue is
    /// sealed.
    public static func find(among accounts: some Collection<AccountNumber>) -> Request {
        Request(findStatement, [.int8s(accounts) { $0 }])
    }

    public static func decode(_ rows: Rows) -> Obstacles {
        var obstacles = Obstacles()
        for row in rows.indices {
            if rows.isNull(row, 1) {
                obstacles.accounts.insert(rows.int64(row, 0))
            } else {
                obstacles.markets.insert(rows.int32(row, 1))
            }
        }
        return obstacles
    }
}
