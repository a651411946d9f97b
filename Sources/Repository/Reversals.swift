import TradeModel

/// That a trade was reversed: by whom, why, and in which batch.
public struct RecordedReversal: Sendable {
    public let key: TradeKey
    public let batch: BatchNumber
    public let actor: String
    public let reason: String
    public let at: Timestamp
}

/// What takes a settled trade back: the opposite of what it did to each balance, all of it to or from `available`.
public struct ReversalTerms: Sendable {
    /// What one balance is changed by.
    public struct Leg: Sendable {
        public let key: BalanceKey
        public let account: Identifier
        public let accountKind: AccountKind
        public let asset: Asset
        public let amount: Amount
    }

    public let trade: TradeKey
    public let market: MarketNumber
    /// In the order of their balances, each of which is there once. None where the trade moved nothing, as between one
    /// and the same account.
    public let legs: [Leg]
}

/// Table `reversals`: nothing in it is ever changed.
public enum ReversalStore {
    static let findStatement = Statement(
        "reversals_find",
        """
        select r.batch_no, r.actor, r.reason, b.committed_at
          from reversals r join batches b using (batch_no) where r.market = $1 and r.trade_id = $2
        """)

    public static func find(_ key: TradeKey) -> Request {
        Request(findStatement, [.text(key.market.text), .text(key.id.text)])
    }

    public static func decode(_ rows: Rows, of key: TradeKey) -> RecordedReversal? {
        guard rows.count > 0 else { return nil }
        return RecordedReversal(
            key: key, batch: rows.int64(0, 0), actor: rows.string(0, 1), reason: rows.string(0, 2),
            at: rows.timestamp(0, 3))
    }

    static let claimStatement = Statement(
        "reversals_claim",
        """
        insert into reversals (market, trade_id, batch_no, actor, reason)
        select $1, $2, \(BatchStore.numberAtHand), $3, $4
         where exists (select from trades t where t.market = $1 and t.trade_id = $2 and t.status = 'SETTLED')
            on conflict (market, trade_id) do nothing
        """)

    /// Makes the trade's reversal that of the batch at hand. Affects no row where the trade is reversed already:
    /// whoever is just doing so is waited for.
    public static func claim(_ key: TradeKey, actor: String, reason: String) -> Request {
        Request(claimStatement, [.text(key.market.text), .text(key.id.text), .text(actor), .text(reason)])
    }

    static let legsStatement = Statement(
        "reversals_legs",
        """
        select e.account_no, a.id, a.kind::text, e.asset_no, - sum(e.available_delta + e.frozen_delta)
          from ledger_entries e join accounts a using (account_no)
         where e.batch_no = $1 and e.market_no = $2 and e.cause_id = $3 and e.kind in ('trade', 'fee')
         group by e.account_no, a.id, a.kind, e.asset_no having sum(e.available_delta + e.frozen_delta) <> 0
         order by e.account_no, e.asset_no
        """)

    /// What would take back a trade that was settled in a batch. That never changes, so it may be read at any time.
    public static func terms(
        of key: TradeKey, settledIn batch: BatchNumber, _ market: Market, _ catalog: Catalog,
        _ connection: PostgresConnection
    ) throws(DatabaseError) -> ReversalTerms {
        try connection.script(LedgerStore.readingSettings)
        let rows = try connection.query(legsStatement, .int8(batch), .int4(market.number), .text(key.id.text))
        let assets = Dictionary(uniqueKeysWithValues: catalog.assets.values.map { ($0.number, $0) })
        return ReversalTerms(
            trade: key, market: market.number,
            legs: rows.indices.compactMap { row in
                guard let asset = assets[rows.int32(row, 3)] else { return nil }
                return ReversalTerms.Leg(
                    key: BalanceKey(account: rows.int64(row, 0), asset: asset.number),
                    account: Identifier(stored: rows.string(row, 1)),
                    accountKind: AccountKind(rawValue: rows.string(row, 2))!, asset: asset,
                    amount: rows.amount(row, 4))
            })
    }

    static let refusalsStatement = Statement(
        "reversals_refusals",
        """
        select at, actor, reason, detail ->> 'because' from operator_actions
         where subject = $1 and action = 'reverse_refused' order by action_no desc limit $2
        """)

    /// The latest attempts to reverse a trade that were refused, newest first.
    public static func refusals(of key: TradeKey, limit: Int) -> Request {
        Request(refusalsStatement, [.text(OperatorAction.Subject.trade(key).text), .int8(Int64(limit))])
    }

    public static func decodeRefusals(_ rows: Rows) -> [ReversalRefusal] {
        rows.indices.map { row in
            ReversalRefusal(
                at: rows.timestamp(row, 0), actor: rows.string(row, 1), reason: rows.string(row, 2),
                because: rows.optional(row, 3, rows.string) ?? "")
        }
    }
}

/// An attempt to reverse a trade that came to nothing.
public struct ReversalRefusal: Sendable {
    public let at: Timestamp
    public let actor: String
    /// Why the trade was to be reversed.
    public let reason: String
    /// Why it was not.
    public let because: String
}
