import TradeModel

/// How many letters wait for an operator.
extension DeadLetterStore {
    static let countOpenStatement = Statement(
        "dead_letters_count_open",
        "select count(*) from (select from dead_letters where status = 'open' order by letter_no limit $1) open")

    /// How many letters are open, up to a bound.
    public static var countOpen: Request { Request(countOpenStatement, [BoundedCount.limit()]) }

    static let countOpenOfAccountStatement = Statement(
        "dead_letters_count_open_of_account",
        """
        select least(count(*), $1)
          from ((select letter_no from dead_letters where status = 'open' and buyer_id = $2 limit $1)
                union
                (select letter_no from dead_letters where status = 'open' and seller_id = $2 limit $1)) open
        """)

    /// The same, of those that name an account.
    public static func countOpen(of account: Identifier) -> Request {
        Request(countOpenOfAccountStatement, [BoundedCount.limit(), .text(account.text)])
    }

    public static func decodeCountOpen(_ rows: Rows) -> BoundedCount { BoundedCount(rows.int64(0, 0)) }
}
