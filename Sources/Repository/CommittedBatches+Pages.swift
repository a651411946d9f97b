import TradeModel

/// A ledger entry as it is exported.
public struct ExportedEntry: Sendable {
    public let at: Timestamp
    public let batch: BatchNumber
    public let place: Int32
    /// A customer's id, or `house/0` and the like.
    public let account: String
    public let asset: Asset
    public let version: Int64
    public let kind: String
    public let market: MarketSymbol?
    public let cause: String
    public let availableChange: Amount
    public let frozenChange: Amount
    public let available: Amount
    public let frozen: Amount
}

/// A settled trade as it is exported.
public struct ExportedTrade: Sendable {
    public let at: Timestamp
    public let batch: BatchNumber
    public let trade: RecordedTrade
    public let quote: Amount
    public let quoteDecimals: Int
}

extension CommittedBatches {
    /// The bounds find the entries; a list of numbers would have the summary gone through for each.
    private static let isOfPage = """
        e.batch_no >= $2 and e.batch_no <= $3
           and exists (select from unnest($1) as wanted (batch_no) where wanted.batch_no = e.batch_no)
        """

    static let entriesStatement = Statement(
        "export_entries",
        """
        select c.committed_at, e.batch_no, e.place,
               case a.kind when 'customer' then a.id else a.kind || '/' || a.id end, e.asset_no, e.version,
               e.kind::text, e.market_no, e.cause_id, e.available_delta, e.frozen_delta,
               e.available_after, e.frozen_after
          from ledger_entries e join batches c using (batch_no) join accounts a using (account_no)
         where \(isOfPage) order by c.committed_at, e.batch_no, e.place
        """)

    /// The next entries, in the order of commits; nil after the last.
    public mutating func nextEntries() throws(DatabaseError) -> [ExportedEntry]? {
        guard let page = try nextPage() else { return nil }
        let rows = try connection.query(Request(Self.entriesStatement, page.parameters))
        let assets = Dictionary(uniqueKeysWithValues: catalog.assets.values.map { ($0.number, $0) })
        let markets = Dictionary(uniqueKeysWithValues: catalog.markets.values.map { ($0.number, $0.symbol) })
        return rows.indices.map { row in
            ExportedEntry(
                at: rows.timestamp(row, 0), batch: rows.int64(row, 1), place: rows.int32(row, 2),
                account: rows.string(row, 3), asset: assets[rows.int32(row, 4)]!, version: rows.int64(row, 5),
                kind: rows.string(row, 6), market: rows.optional(row, 7, rows.int32).flatMap { markets[$0] },
                cause: rows.string(row, 8), availableChange: rows.amount(row, 9), frozenChange: rows.amount(row, 10),
                available: rows.amount(row, 11), frozen: rows.amount(row, 12))
        }
    }

    /// A trade's entries tell where it stands in its batch. Each is looked up by its whole key: while there are no
    /// statistics of a young table, the planner would else go through all trades of the market for each.
    static let tradesStatement = Statement("export_trades", trades(by: "c.committed_at, f.batch_no, f.place"))
    private static let numberedTradesStatement = Statement(
        "export_trades_by_number", trades(by: "f.batch_no, f.place"))

    private static func trades(by order: String) -> String {
        """
        select \(TradeStore.columns), c.committed_at
          from (select e.batch_no, e.market_no, e.cause_id, min(e.place) as place from ledger_entries e
                 where \(isOfPage) and e.kind = 'trade' group by e.batch_no, e.market_no, e.cause_id) f
          join batches c on c.batch_no = f.batch_no
          join markets m on m.market_no = f.market_no
          cross join lateral (
               select * from trades t where t.market = m.symbol and t.trade_id = f.cause_id offset 0) t
         order by \(order)
        """
    }

    /// The next settled trades; nil after the last.
    public mutating func nextTrades() throws(DatabaseError) -> [ExportedTrade]? {
        guard let page = try nextPage() else { return nil }
        let statement = isByNumber ? Self.numberedTradesStatement : Self.tradesStatement
        let rows = try connection.query(Request(statement, page.parameters))
        return try zip(TradeStore.decode(rows), rows.indices).map { recorded, row throws(DatabaseError) in
            guard let content = recorded.trade, let batch = recorded.batch,
                let market = catalog.markets[recorded.key.market],
                let quote = DecimalNumber.productRoundedDown(
                    content.price, content.quantity, decimals: market.quote.decimals)
            else {
                throw DatabaseError(
                    sqlState: DatabaseError.dataCorrupted,
                    message: "trade \(recorded.key) was settled, and is no longer what was: try 'settle verify'")
            }
            return ExportedTrade(
                at: rows.timestamp(row, TradeStore.columnCount), batch: batch, trade: recorded, quote: quote,
                quoteDecimals: market.quote.decimals)
        }
    }
}
