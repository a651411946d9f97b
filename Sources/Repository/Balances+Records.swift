import TradeModel

/// What an account has in one asset, and how far it may go below zero.
public struct BalanceRecord: Sendable {
    public let asset: Asset
    public let available: Amount
    public let frozen: Amount
    public let creditLine: Amount
}

/// Balances for operators.
extension BalanceStore {
    static let recordsStatement = Statement(
        "balances_records",
        """
        select s.asset_no, s.symbol, s.decimals, b.available, b.frozen, - b.lowest
          from balances b join assets s using (asset_no) where b.account_no = $1 order by s.symbol
        """)

    static let lockStatement = Statement(
        "balances_lock", "select from balances where account_no = $1 order by asset_no for update")
    static let removeLinesStatement = Statement(
        "balances_remove_lines", "update balances set lowest = 0 where account_no = $1 and lowest <> 0")
    static let setLineStatement = Statement(
        "balances_set_line",
        "update balances set lowest = $3 where account_no = $1 and asset_no = $2")

    public static func records(of account: AccountNumber) -> Request {
        Request(recordsStatement, [.int8(account)])
    }

    public static func decodeRecords(_ rows: Rows) -> [BalanceRecord] {
        rows.indices.map { row in
            BalanceRecord(
                asset: Asset(
                    number: rows.int32(row, 0), symbol: AssetSymbol(rows.string(row, 1))!,
                    decimals: Int(rows.int16(row, 2))),
                available: rows.amount(row, 3), frozen: rows.amount(row, 4), creditLine: rows.amount(row, 5))
        }
    }
}
