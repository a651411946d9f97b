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

/// Where a balance stood at a time.
public struct BalanceMoment: Hashable, Sendable {
    /// How many entries had been made; 0 before the first.
    public var version: Int64
    public var available: Amount
    public var frozen: Amount

    public init(version: Int64 = 0, available: Amount = .zero, frozen: Amount = .zero) {
        self.version = version
        self.available = available
        self.frozen = frozen
    }
}

extension BalanceStore {
    static let currentStatement = Statement(
        "balances_current",
        """
        select account_no, asset_no, version, available, frozen from balances
         where account_no = any ($1) and ($2::bigint is null or asset_no = $2)
        """)

    /// The balances of some accounts as they are.
    public static func current(
        of accounts: some Collection<AccountNumber>, asset: AssetNumber?, _ connection: PostgresConnection
    ) throws(DatabaseError) -> [BalanceKey: BalanceMoment] {
        let rows = try connection.query(currentStatement, .int8s(accounts) { $0 }, .int8(asset.map(Int64.init)))
        var balances: [BalanceKey: BalanceMoment] = [:]
        for row in rows.indices {
            balances[BalanceKey(account: rows.int64(row, 0), asset: rows.int32(row, 1))] = BalanceMoment(
                version: rows.int64(row, 2), available: rows.amount(row, 3), frozen: rows.amount(row, 4))
        }
        return balances
    }
}
