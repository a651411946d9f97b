import TradeModel

/// One line of an account's statement.
public struct StatementLine: Sendable {
    public let version: Int64
    public let batch: BatchNumber
    public let at: Timestamp
    public let kind: EntryKind
    public let market: MarketSymbol?
    /// The trade's id in its market, or the operation's key.
    public let cause: Identifier
    public let availableChange: Amount
    public let frozenChange: Amount
    public let available: Amount
    public let frozen: Amount
    /// Of trades and their fees.
    public let trade: Trade?
    /// The order for which money was reserved or released.
    public let order: String?

    public struct Trade: Sendable {
        public let price: DecimalNumber?
        public let quantity: DecimalNumber?
        public let buyer: String
        public let seller: String
        public let buyerFee: DecimalNumber?
        public let sellerFee: DecimalNumber?
    }
}

extension LedgerReader {
    static let linesStatement = Statement(
        "ledger_lines",
        """
        select e.version, e.batch_no, c.committed_at, e.kind::text, m.symbol, e.cause_id, e.available_delta,
               e.frozen_delta, e.available_after, e.frozen_after, t.price, t.quantity, t.buyer_id, t.seller_id,
               o.order_id, t.buyer_fee, t.seller_fee
          from (select * from ledger_entries
                 where batch_no >= $1 and batch_no < $2 and account_no = $3 and asset_no = $4
                   and version >= $5 and version <= $6
                 order by version offset 0) e
          join batches c on c.batch_no = e.batch_no
          left join markets m on m.market_no = e.market_no
          left join trades t on t.market = m.symbol and t.trade_id = e.cause_id
          left join operations o on e.market_no is null and o.key = e.cause_id
         order by e.version
        """)

    /// A balance's entries of some versions, all of which exist, in order.
    ///
    /// - Parameter since: they were committed then or later; nil where that is not known.
    public func lines(
        of key: BalanceKey, versions: ClosedRange<Int64>, newest: Int64, since: Timestamp? = nil,
        until: Timestamp? = nil
    ) throws(DatabaseError) -> [StatementLine] {
        var from: BatchNumber = -1
        var to = BatchNumber.max
        if let since { from = try number(beforeAllSince: since) }
        if let until { to = try number(afterAllUntil: until) }
        let isFromNewest = newest - versions.upperBound < versions.lowerBound
        var wanted = segments.filter { $0.batches.upperBound > from && $0.batches.lowerBound < to }
        if isFromNewest { wanted.reverse() }
        // A segment without an index is read last but one where that may do: not for an account that has been quiet.
        if let bare = wanted.firstIndex(where: { !$0.isIndexed }),
            let indexed = wanted[bare...].firstIndex(where: { $0.isIndexed })
        {
            let quick = wanted.remove(at: indexed)
            wanted.insert(quick, at: bare)
        }
        var lines: [StatementLine] = []
        for segment in wanted {
            for batches in segment.isIndexed ? [segment.batches] : segment.stretches(isFromNewest: isFromNewest)
            where lines.count < versions.count {
                let rows = try connection.query(
                    Self.linesStatement, .int8(batches.lowerBound), .int8(batches.upperBound), .int8(key.account),
                    .int4(key.asset), .int8(versions.lowerBound), .int8(versions.upperBound))
                lines += rows.indices.map { Self.line(rows, $0) }
            }
        }
        return lines.sorted { $0.version < $1.version }
    }

    private static func line(_ rows: Rows, _ row: Int) -> StatementLine {
        StatementLine(
            version: rows.int64(row, 0), batch: rows.int64(row, 1), at: rows.timestamp(row, 2),
            kind: EntryKind(rawValue: rows.string(row, 3))!,
            market: rows.optional(row, 4, rows.string).flatMap { MarketSymbol($0) },
            cause: Identifier(stored: rows.string(row, 5)), availableChange: rows.amount(row, 6),
            frozenChange: rows.amount(row, 7), available: rows.amount(row, 8), frozen: rows.amount(row, 9),
            trade: rows.optional(row, 12, rows.string).map { buyer in
                StatementLine.Trade(
                    price: rows.decimal(row, 10), quantity: rows.decimal(row, 11), buyer: buyer,
                    seller: rows.string(row, 13), buyerFee: rows.decimal(row, 15), sellerFee: rows.decimal(row, 16))
            },
            order: rows.optional(row, 14, rows.string))
    }
}

extension LedgerSegment {
    /// Its batches in stretches that become longer: who trades much is found in the first, and who is found in none
    /// costs little more than all at once would.
    fileprivate func stretches(isFromNewest: Bool) -> [Range<BatchNumber>] {
        var stretches: [Range<BatchNumber>] = []
        var rest = batches
        var length: BatchNumber = 16
        while !rest.isEmpty {
            let stretch = isFromNewest ? rest.suffix(Int(length)) : rest.prefix(Int(length))
            stretches.append(stretch)
            rest = isFromNewest ? rest.lowerBound..<stretch.lowerBound : stretch.upperBound..<rest.upperBound
            length *= 16
        }
        return stretches
    }
}

extension AccountStore {
    static let namedStatement = Statement(
        "accounts_named",
        """
        select a.account_no, a.kind::text, a.id, a.opened_at, a.status::text from accounts a
         where a.kind = 'customer' and a.id = $1
        union all
        select a.account_no, a.kind::text, a.id, a.opened_at, a.status::text from accounts a
         where a.kind <> 'customer' and (a.kind::text = $1 or a.kind || '/' || a.id = $1)
           and not exists (select from accounts c where c.kind = 'customer' and c.id = $1)
         order by account_no
        """)

    /// The account that a name means: a customer's; or, where no customer is called so, all of the house or of the
    /// outside world, or one of them, such as `house/0`. Empty when there is none.
    public static func named(_ name: Identifier, _ connection: PostgresConnection) throws(DatabaseError)
        -> [NamedAccount]
    {
        let rows = try connection.query(namedStatement, .text(name.text))
        return rows.indices.map {
            NamedAccount(
                number: rows.int64($0, 0), kind: AccountKind(rawValue: rows.string($0, 1))!, id: rows.string($0, 2),
                openedAt: rows.timestamp($0, 3))
        }
    }
}

public struct NamedAccount: Sendable {
    public let number: AccountNumber
    public let kind: AccountKind
    public let id: String
    public let openedAt: Timestamp

    /// As statements call it.
    public var name: String { kind == .customer ? id : "\(kind.rawValue)/\(id)" }
}
