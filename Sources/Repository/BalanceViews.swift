import TradeModel

/// What an account has, for people.
public struct AccountBalance: Sendable {
    public let asset: Asset
    public let available: Amount
    public let frozen: Amount

    public init(asset: Asset, available: Amount, frozen: Amount) {
        self.asset = asset
        self.available = available
        self.frozen = frozen
    }
}

extension BalanceStore {
    static let ofAccountStatement = Statement(
        "balances_of_account",
        """
        select s.asset_no, s.symbol, s.decimals, sum(b.available), sum(b.frozen)
          from accounts a join balances b using (account_no) join assets s using (asset_no)
         where case $2 when 'customer' then a.kind = 'customer' and a.id = $1 else a.kind = $2::account_kind end
         group by s.asset_no, s.symbol, s.decimals order by s.symbol
        """)

    /// The balances of a customer, or those of the house or the outside world, each as one sum.
    public static func ofAccount(_ id: Identifier, kind: AccountKind) -> Request {
        Request(ofAccountStatement, [.text(id.text), .text(kind.rawValue)])
    }

    public static func decodeOfAccount(_ rows: Rows) -> [AccountBalance] {
        rows.indices.map { row in
            AccountBalance(
                asset: Asset(
                    number: rows.int32(row, 0), symbol: AssetSymbol(rows.string(row, 1))!,
                    decimals: Int(rows.int16(row, 2))),
                available: rows.amount(row, 3), frozen: rows.amount(row, 4))
        }
    }
}
