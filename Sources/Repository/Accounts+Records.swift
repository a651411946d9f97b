import TradeModel

/// An account as operators see it.
public struct AccountRecord: Sendable {
    public let number: AccountNumber
    public let id: Identifier
    public let status: AccountStatus
    /// Since when it has that status.
    public let statusAt: Timestamp
    public let openedAt: Timestamp
}

/// Accounts for operators.
extension AccountStore {
    private static let recordColumns = "account_no, id, status::text, coalesce(status_at, opened_at), opened_at"

    static let recordStatement = Statement(
        "accounts_record", "select \(recordColumns) from accounts where id = $1 and kind = 'customer'")

    static let lockStatement = Statement(
        "accounts_lock", "select \(recordColumns) from accounts where id = $1 and kind = 'customer' for update")
    /// Lets others refer to the account, as whoever opens a balance of it does.
    static let lockForLineStatement = Statement(
        "accounts_lock_for_line",
        "select \(recordColumns) from accounts where id = $1 and kind = 'customer' for no key update")
    static let setStatusStatement = Statement(
        "accounts_set_status",
        "update accounts set status = $2::account_status, status_at = clock_timestamp() where account_no = $1")

    public static func record(_ id: Identifier) -> Request { Request(recordStatement, [.text(id.text)]) }

    static let listStatement = Statement(
        "accounts_list",
        """
        select \(recordColumns) from accounts where kind = 'customer' and account_no > $1
         order by account_no limit $2
        """)
    static let listActiveStatement = Statement(
        "accounts_list_active",
        """
        select \(recordColumns) from accounts where kind = 'customer' and account_no > $1 and status = 'active'
         order by account_no limit $2
        """)
    // Named twice, for the index of those that are not active.
    static let listInactiveStatement = Statement(
        "accounts_list_inactive",
        """
        select \(recordColumns) from accounts
         where kind = 'customer' and account_no > $1 and status <> 'active' and status = $3::account_status
         order by account_no limit $2
        """)

    /// Accounts in the order in which they were opened, behind one of them.
    public static func list(status: AccountStatus?, after: AccountNumber, limit: Int) -> Request {
        let page: [Parameter] = [.int8(after), .int8(Int64(limit))]
        switch status {
        case nil: return Request(listStatement, page)
        case .active?: return Request(listActiveStatement, page)
        case let status?: return Request(listInactiveStatement, page + [.text(status.rawValue)])
        }
    }

    public static func decodeRecords(_ rows: Rows) -> [AccountRecord] {
        rows.indices.map { row in
            AccountRecord(
                number: rows.int64(row, 0), id: Identifier(stored: rows.string(row, 1)),
                status: AccountStatus(rawValue: rows.string(row, 2))!, statusAt: rows.timestamp(row, 3),
                openedAt: rows.timestamp(row, 4))
        }
    }
}
