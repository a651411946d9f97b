import TradeModel

/// What is held of an account's money for one order.
public struct Hold: Hashable, Sendable {
    public let account: AccountNumber
    public let asset: AssetNumber
    public var reserved: Amount
    public var remaining: Amount

    public init(account: AccountNumber, asset: AssetNumber, reserved: Amount, remaining: Amount) {
        self.account = account
        self.asset = asset
        self.reserved = reserved
        self.remaining = remaining
    }
}

/// A hold before and after a batch; `before` is nil for a new one.
public struct HoldChange: Sendable {
    public let key: OrderKey
    public let before: Hold?
    public let after: Hold

    public init(key: OrderKey, before: Hold?, after: Hold) {
        self.key = key
        self.before = before
        self.after = after
    }
}

/// Table `holds`.
public enum HoldStore {
    static let readStatement = Statement(
        "holds_read",
        """
        select h.stream, h.order_id, h.account_no, h.asset_no, h.reserved, h.remaining
          from (select unnest($1) as stream, unnest($2) as order_id) wanted
          join holds h on h.stream = wanted.stream and h.order_id = wanted.order_id
        """)

    public static func read(_ keys: some Collection<OrderKey>) -> Request {
        Request(readStatement, [.texts(keys) { $0.storedStream }, .texts(keys) { $0.order.text }])
    }

    public static func decode(_ rows: Rows) -> [(key: OrderKey, hold: Hold)] {
        rows.indices.map { row in
            (
                OrderKey(stream: Identifier(rows.string(row, 0)), order: Identifier(rows.string(row, 1))!),
                Hold(
                    account: rows.int64(row, 2), asset: rows.int32(row, 3), reserved: rows.amount(row, 4),
                    remaining: rows.amount(row, 5))
            )
        }
    }

    static let insertStatement = Statement(
        "holds_insert",
        """
        insert into holds (stream, order_id, account_no, asset_no, reserved, remaining)
        select unnest($1), unnest($2), unnest($3), unnest($4), unnest($5), unnest($6)
        """)

    public static func insert(_ changes: [HoldChange]) -> Request {
        Request(
            insertStatement,
            [
                .texts(changes) { $0.key.storedStream }, .texts(changes) { $0.key.order.text },
                .int8s(changes) { $0.after.account }, .int4s(changes) { $0.after.asset },
                .amounts(changes) { $0.after.reserved }, .amounts(changes) { $0.after.remaining },
            ])
    }

    static let updateStatement = Statement(
        "holds_update",
        """
        update holds h set reserved = c.reserved, remaining = c.remaining
          from (select unnest($1) as stream, unnest($2) as order_id, unnest($3) as reserved_before,
                       unnest($4) as remaining_before, unnest($5) as reserved, unnest($6) as remaining) c
         where h.stream = c.stream and h.order_id = c.order_id
           and h.reserved = c.reserved_before and h.remaining = c.remaining_before
        """)

    /// A hold that is not as it was before is not counted, and the caller rolls back.
    public static func update(_ changes: [HoldChange]) -> Request {
        Request(
            updateStatement,
            [
                .texts(changes) { $0.key.storedStream }, .texts(changes) { $0.key.order.text },
                .amounts(changes) { $0.before?.reserved }, .amounts(changes) { $0.before?.remaining },
                .amounts(changes) { $0.after.reserved },
                .amounts(changes) { $0.after.remaining },
            ])
    }
}

extension OrderKey {
    /// The unnamed stream is stored as the empty text, which no named one can have.
    var storedStream: String { stream?.text ?? "" }
}
