import TradeModel

/// The balances as they were when a record of an engine's output, and all before it, had been settled and nothing
/// behind it: those of one snapshot, less what later records have done.
///
/// Only what moved since a batch is looked at for that, before which nothing behind the record was settled: one that
/// was the newest when the record was, since what comes behind a record settles in batches that were begun behind it.
/// Of a record that is past, the first batch that has settled any of what followed.
public struct LedgerAtRecord {
    /// What an account had of an asset.
    public struct Balance: Sendable {
        public let account: Identifier
        public let asset: Asset
        public var available: Amount
        public var frozen: Amount
    }

    /// The stream as it stands in the snapshot.
    public let state: FeedState
    private let sequence: Int64
    private let connection: PostgresConnection
    private let assets: [AssetNumber: Asset]
    /// What later records have changed; the house's and the world's accounts are one each.
    private var later: [BalanceKey: (available: Amount, frozen: Amount)] = [:]

    private static let houseNumber: AccountNumber = -1

    /// Each entry's cause is found by its key, however large the tables are: the planner has no other way.
    static let laterStatement = Statement(
        "ledger_later_than_record",
        """
        select case a.kind when 'customer' then e.account_no else \(houseNumber) end, e.asset_no,
               sum(e.available_delta), sum(e.frozen_delta)
          from ledger_entries e join accounts a on a.account_no = e.account_no
         where e.batch_no >= $1 and a.kind <> 'world'
           and case when e.kind = 'reversal' then false
               when e.kind in ('trade', 'fee')
               then (select t.stream = $2 and t.stream_seq > $3 from trades t
                      where t.market = (select m.symbol from markets m where m.market_no = e.market_no)
                        and t.trade_id = e.cause_id)
               else (select o.stream = $2 and o.stream_seq > $3 from operations o where o.key = e.cause_id) end
         group by 1, 2
        """)

    /// Begins to read in one snapshot of the books, in which the stream's watermark must have come to the record; ends
    /// with ``close()``. What later records have done counts until ``takeOff(since:)``.
    ///
    /// - Returns: nil where the watermark has not come so far.
    public static func open(
        _ connection: PostgresConnection, _ stream: Identifier, at sequence: Int64
    ) throws(DatabaseError) -> LedgerAtRecord? {
        try connection.script("\(LedgerStore.readingSettings); set enable_hashjoin = off; set enable_mergejoin = off")
        try connection.query(.beginSnapshot)
        let states = FeedStateStore.decode(try connection.query(FeedStateStore.list(stream)))
        guard let state = states.first, state.watermark >= sequence else {
            connection.rollBack()
            return nil
        }
        let assets = try CatalogStore.read(connection).assets.values.map { ($0.number, $0) }
        return LedgerAtRecord(
            state: state, sequence: sequence, connection: connection,
            assets: Dictionary(uniqueKeysWithValues: assets))
    }

    private init(
        state: FeedState, sequence: Int64, connection: PostgresConnection, assets: [AssetNumber: Asset]
    ) {
        self.state = state
        self.sequence = sequence
        self.connection = connection
        self.assets = assets
    }

    /// A trade may have gone into the books under another name, which its letter was given, and no earlier than that.
    static let firstBatchStatement = Statement(
        "ledger_first_batch_of",
        """
        with trade as (select unnest($1) as market, unnest($2) as trade_id)
        select min(batch_no) from (
            select t.batch_no from trade w, lateral (
                   select batch_no from trades t where t.market = w.market and t.trade_id = w.trade_id offset 0) t
             union all
            select l.batch_no from trade w, lateral (
                   select batch_no from dead_letters l
                    where l.market = w.market and l.trade_id = w.trade_id offset 0) l
             union all
            select o.batch_no from (select unnest($3) as key) w, lateral (
                   select batch_no from operations o where o.key = w.key offset 0) o) b
        """)

    /// The first batch that has settled, or parked, any of some items of the stream; nil where none has.
    public func firstBatch(of items: [SettlementItem]) throws(DatabaseError) -> BatchNumber? {
        var (trades, keys): ([TradeKey], [Identifier]) = ([], [])
        for item in items {
            switch item.subject {
            case .trade(let trade): trades.append(trade.key)
            case .operation(let operation): keys.append(operation.key)
            case .refused: continue
            }
        }
        guard !trades.isEmpty || !keys.isEmpty else { return nil }
        let rows = try connection.query(
            Self.firstBatchStatement, .texts(trades) { $0.market.text }, .texts(trades) { $0.id.text },
            .texts(keys) { $0.text })
        return rows.optional(0, 0, rows.int64)
    }

    /// Takes off what later records have done. To be called once.
    ///
    /// - Parameter batch: nothing behind the record was settled in an earlier one.
    public mutating func takeOff(since batch: BatchNumber) throws(DatabaseError) {
        let rows = try connection.query(
            Self.laterStatement, .int8(batch), .text(state.stream.text), .int8(sequence))
        for row in rows.indices {
            later[BalanceKey(account: rows.int64(row, 0), asset: rows.int32(row, 1))] = (
                rows.amount(row, 2), rows.amount(row, 3)
            )
        }
    }

    /// Ends the snapshot.
    public func close() { connection.rollBack() }

    static let pageStatement = Statement(
        "balances_of_customers",
        """
        select a.id, b.account_no, b.asset_no, b.available, b.frozen
          from (select unnest($1) as id) wanted
          join accounts a on a.id = wanted.id and a.kind = 'customer'
          join balances b on b.account_no = a.account_no
        """)

    /// What some customers had, in all assets.
    public func balances(of accounts: [Identifier]) throws -> [Balance] {
        let rows = try connection.query(Self.pageStatement, .texts(accounts) { $0.text })
        return try rows.indices.compactMap { row in
            let key = BalanceKey(account: rows.int64(row, 1), asset: rows.int32(row, 2))
            guard let asset = assets[key.asset] else { return nil }
            return Balance(
                account: Identifier(stored: rows.string(row, 0)), asset: asset,
                available: try rows.amount(row, 3).subtracting(later[key]?.available ?? .zero),
                frozen: try rows.amount(row, 4).subtracting(later[key]?.frozen ?? .zero))
        }
    }

    /// Read as a whole, whatever indexes there are: nearly all of it is wanted.
    private static let movedStatement = Statement(
        "accounts_moved_by_stream",
        """
        declare accounts_moved no scroll cursor for
        select a.id
          from (select distinct account_no from operations where stream = $1 and stream_seq <= $2) o
          join accounts a on a.account_no = o.account_no and a.kind = 'customer'
        """)
    private static let nextMovedStatement = Statement("accounts_moved_next", "fetch 1000 from accounts_moved")

    /// The customers whose money the engine has moved by itself up to the record, page by page: no account trades there
    /// without a deposit, or something held.
    public func accountsMoved(page: ([Identifier]) throws -> Void) throws {
        try connection.script("set local enable_seqscan = on; set local enable_hashjoin = on")
        try connection.query(Self.movedStatement, .text(state.stream.text), .int8(sequence))
        while true {
            let rows = try connection.query(Self.nextMovedStatement)
            guard rows.count > 0 else { break }
            try page(rows.indices.map { Identifier(stored: rows.string($0, 0)) })
        }
        try connection.script("close accounts_moved; set local enable_seqscan = off; set local enable_hashjoin = off")
    }

    static let houseStatement = Statement(
        "balances_of_house",
        """
        select b.asset_no, sum(b.available) from accounts a join balances b on b.account_no = a.account_no
         where a.kind = 'house' group by b.asset_no
        """)

    /// What the exchange itself had earned of each asset.
    public func house() throws -> [AssetSymbol: Amount] {
        let rows = try connection.query(Self.houseStatement)
        var house: [AssetSymbol: Amount] = [:]
        for row in rows.indices {
            guard let asset = assets[rows.int32(row, 0)] else { continue }
            let key = BalanceKey(account: Self.houseNumber, asset: asset.number)
            house[asset.symbol] = try rows.amount(row, 1).subtracting(later[key]?.available ?? .zero)
        }
        return house
    }

    /// A trade up to the record that the engine made and the books did not settle yet.
    public struct OpenTrade: Sendable, Hashable {
        public let account: Identifier
        public let market: String
        public let id: String
        /// Where it is parked, and whether it was given up; nil where it waits to be settled.
        public let letter: Int64?
        public let isDiscarded: Bool
    }

    /// Of each account only so many are looked for.
    public static let openTradeCountMax = 3

    private static func letters(_ side: String) -> String {
        """
        (select l.market, l.trade_id, l.letter_no, l.status = 'discarded' as is_discarded from dead_letters l
          where l.\(side) = w.id and l.status in ('open', 'discarded') and l.stream = $2 and l.stream_seq <= $3
          limit \(openTradeCountMax))
        """
    }

    private static func waiting(_ side: String) -> String {
        """
        (select t.market, t.trade_id, null::bigint, false from trades t
          where t.\(side) = w.id and t.status = 'PENDING' and t.stream = $2 and t.stream_seq <= $3
          limit \(openTradeCountMax))
        """
    }

    static let openTradesStatement = Statement(
        "trades_open_of_accounts",
        """
        select w.id, o.market, o.trade_id, o.letter_no, o.is_discarded
          from (select unnest($1) as id) w, lateral (
               \(letters("buyer_id")) union \(letters("seller_id"))
               union \(waiting("buyer_id")) union \(waiting("seller_id"))) o
        """)

    /// What explains that the engine's and the ledger's balances of some accounts differ.
    public func openTrades(of accounts: Set<Identifier>) throws -> [OpenTrade] {
        let rows = try connection.query(
            Self.openTradesStatement, .texts(accounts.sorted()) { $0.text }, .text(state.stream.text), .int8(sequence))
        return rows.indices.map { row in
            OpenTrade(
                account: Identifier(stored: rows.string(row, 0)), market: rows.optional(row, 1, rows.string) ?? "?",
                id: rows.optional(row, 2, rows.string) ?? "?", letter: rows.optional(row, 3, rows.int64),
                isDiscarded: rows.bool(row, 4))
        }
    }
}
