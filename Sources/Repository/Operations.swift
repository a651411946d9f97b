import TradeModel

/// An operation as it was carried out.
public struct RecordedOperation: Hashable, Sendable {
    public let key: Identifier
    public let kind: Operation.Kind
    public let account: Identifier
    public let asset: AssetNumber
    public let amount: Amount
    public let order: OrderKey?
    public let batch: BatchNumber

    public init(
        key: Identifier, kind: Operation.Kind, account: Identifier, asset: AssetNumber, amount: Amount,
        order: OrderKey?, batch: BatchNumber
    ) {
        self.key = key
        self.kind = kind
        self.account = account
        self.asset = asset
        self.amount = amount
        self.order = order
        self.batch = batch
    }
}

/// An operation to be recorded, with the number of its account.
public struct NewOperation: Sendable {
    public let operation: Operation
    /// Where it stands in a feed, if it came by one.
    public let place: StreamPlace?
    public let account: AccountNumber
    public let asset: AssetNumber
    public let amount: Amount

    public init(
        operation: Operation, place: StreamPlace? = nil, account: AccountNumber, asset: AssetNumber, amount: Amount
    ) {
        self.operation = operation
        self.place = place
        self.account = account
        self.asset = asset
        self.amount = amount
    }
}

/// Table `operations`.
public enum OperationStore {
    static let readStatement = Statement(
        "operations_read",
        """
        select o.key, o.kind::text, a.id, o.asset_no, o.amount, o.stream, o.order_id, o.batch_no
          from (select unnest($1) as key) wanted join operations o on o.key = wanted.key
          join accounts a on a.account_no = o.account_no
        """)

    public static func read(_ keys: some Collection<Identifier>) -> Request {
        Request(readStatement, [.texts(keys) { $0.text }])
    }

    public static func decode(_ rows: Rows) -> [RecordedOperation] {
        rows.indices.map { row in
            RecordedOperation(
                key: Identifier(rows.string(row, 0))!, kind: Operation.Kind(rawValue: rows.string(row, 1))!,
                account: Identifier(rows.string(row, 2))!, asset: rows.int32(row, 3), amount: rows.amount(row, 4),
                order: rows.optional(row, 6, rows.string).map { order in
                    OrderKey(
                        stream: rows.optional(row, 5, rows.string).flatMap(Identifier.init),
                        order: Identifier(order)!)
                },
                batch: rows.int64(row, 7))
        }
    }

    static let insertStatement = Statement(
        "operations_insert",
        """
        insert into operations (key, kind, account_no, asset_no, amount, stream, stream_seq, order_id, batch_no)
        select unnest($1), unnest($2)::operation_kind, unnest($3), unnest($4), unnest($5), unnest($6), unnest($7),
               unnest($8), \(BatchStore.numberAtHand)
        """)

    public static func insert(_ operations: [NewOperation]) -> Request {
        Request(
            insertStatement,
            [
                .texts(operations) { $0.operation.key.text }, .texts(operations) { $0.operation.kind.rawValue },
                .int8s(operations) { $0.account }, .int4s(operations) { $0.asset }, .amounts(operations) { $0.amount },
                .texts(operations) { ($0.operation.order?.stream ?? $0.place?.stream)?.text },
                .int8s(operations) { $0.place?.sequence },
                .texts(operations) { $0.operation.order?.order.text },
            ])
    }
}
