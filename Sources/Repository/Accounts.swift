import TradeModel

/// The number of an account; its text id is the customer's affair.
public typealias AccountNumber = Int64

public enum AccountKind: String, Sendable {
    case customer, house, world
}

public enum AccountStatus: String, Sendable, CaseIterable {
    case active, frozen, closed
}

public struct Account: Hashable, Sendable {
    public let number: AccountNumber
    public let id: Identifier
    public var status: AccountStatus

    public init(number: AccountNumber, id: Identifier, status: AccountStatus = .active) {
        self.number = number
        self.id = id
        self.status = status
    }
}

/// Table `accounts`.
public enum AccountStore {
    static let findStatement = Statement(
        "accounts_find",
        """
        select a.account_no, a.id, a.status::text
          from (select unnest($1) as id) wanted join accounts a on a.id = wanted.id and a.kind = 'customer'
        """)

    public static func find(_ ids: some Collection<Identifier>) -> Request {
        Request(findStatement, [.texts(ids) { $0.text }])
    }

    public static func decode(_ rows: Rows) -> [Account] {
        rows.indices.map { row in
            Account(
                number: rows.int64(row, 0), id: Identifier(rows.string(row, 1))!,
                status: AccountStatus(rawValue: rows.string(row, 2))!)
        }
    }

    static let openStatement = Statement(
        "accounts_open",
        """
        insert into accounts (id) select unnest($1) on conflict (id, kind) do nothing
        """)

    /// Opens those that do not exist yet.
    public static func open(_ ids: some Collection<Identifier>) -> Request {
        Request(openStatement, [.texts(ids.sorted()) { $0.text }])
    }

    static let openStripeStatement = Statement(
        "accounts_open_stripe",
        "insert into accounts (id, kind) values ($1, 'house'), ($1, 'world') on conflict (id, kind) do nothing")
    static let findStripeStatement = Statement(
        "accounts_find_stripe", "select account_no from accounts where id = $1 and kind = $2::account_kind")

    /// The accounts of the house and the outside world that belong to one stripe.
    ///
    /// Looking is a statement of its own: where another connection has just opened them, only the next one sees them.
    public static func openStripe(
        _ stripe: Int, on connection: PostgresConnection
    ) throws(DatabaseError) -> (house: AccountNumber, world: AccountNumber) {
        let name = Parameter.text(String(stripe))
        let answers = try connection.pipeline([
            Request(openStripeStatement, [name]),
            Request(findStripeStatement, [name, .text(AccountKind.house.rawValue)]),
            Request(findStripeStatement, [name, .text(AccountKind.world.rawValue)]),
        ])
        return (answers[1].int64(0, 0), answers[2].int64(0, 0))
    }

    static let leaseStripeStatement = Statement(
        "stripe_lease", "select pg_try_advisory_lock(\(AdvisoryLock.stripe), $1)")

    /// Leases a stripe for as long as the connection lives; false when another connection has it.
    public static func leaseStripe(_ stripe: Int) -> Request {
        Request(leaseStripeStatement, [.int4(Int32(stripe))])
    }
}

extension AccountStore {
    private static let otherCustomersStatement = Statement(
        "accounts_other",
        "select exists (select from accounts where kind = 'customer' and id not like $1)")

    /// Whether there are customers whose ids do not match a pattern.
    public static func hasCustomers(
        notLike pattern: String, _ connection: PostgresConnection
    ) throws(DatabaseError) -> Bool {
        try connection.query(otherCustomersStatement, .text(pattern)).bool(0, 0)
    }
}
