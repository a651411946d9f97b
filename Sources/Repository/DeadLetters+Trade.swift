import TradeModel

/// Why a stored trade failed, as its letter says.
public struct TradeFailure: Sendable {
    public let letter: Int64
    public let failureClass: String
    public let message: String
}

extension DeadLetterStore {
    static let failureStatement = Statement(
        "dead_letters_failure",
        """
        select letter_no, class, message from dead_letters
         where market = $1 and trade_id = $2 and stored order by changed_at desc limit 1
        """)

    /// The letter of a trade that is FAILED.
    public static func failure(of trade: TradeKey) -> Request {
        Request(failureStatement, [.text(trade.market.text), .text(trade.id.text)])
    }

    public static func decodeFailure(_ rows: Rows) -> TradeFailure? {
        guard rows.count > 0 else { return nil }
        return TradeFailure(
            letter: rows.int64(0, 0), failureClass: rows.string(0, 1), message: rows.string(0, 2))
    }
}
