import TradeModel

/// Letters whose trade was settled all the same: its entries stand, though its row is gone or says otherwise. Only
/// somebody who went round the rules of the tables leaves such, and settling it would move the money again.
extension DeadLetterStore {
    /// A trade that a letter would bring back, and where in the ledger it would stand if it had been settled.
    private struct Candidate {
        let letter: Int64
        let market: MarketNumber
        let id: String
        let balance: BalanceKey
    }

    /// The buyer gives of the quote and the seller of the base in every trade; of these two balances the one that has
    /// changed less often is gone through.
    static let candidatesStatement = Statement(
        "dead_letters_candidates",
        """
        select l.letter_no, m.market_no, l.trade_id, k.account_no, k.asset_no
          from (select unnest($1) as letter_no) wanted join dead_letters l using (letter_no)
          join markets m on m.symbol = l.market
          left join trades t on t.market = l.market and t.trade_id = l.trade_id
         cross join lateral (
               select b.account_no, b.asset_no
                 from (values (coalesce(t.buyer_id, l.buyer_id), m.quote_no),
                              (coalesce(t.seller_id, l.seller_id), m.base_no)) side (id, asset_no)
                 join accounts a on a.id = side.id and a.kind = 'customer'
                 join balances b on b.account_no = a.account_no and b.asset_no = side.asset_no
                order by b.version limit 1) k
         where t.status is distinct from 'SETTLED' and l.trade_id is not null
        """)

    /// Each balance is gone through once, however many trades it may have been in.
    static let settledIndexedStatement = Statement(
        "dead_letters_settled_indexed",
        """
        select w.letter_no, e.batch_no
          from (select distinct unnest($6) as account_no, unnest($7) as asset_no) k
         cross join lateral (
               select e.batch_no, e.market_no, e.cause_id from ledger_entries e
                where e.batch_no >= $1 and e.batch_no < $2 and e.account_no = k.account_no
                  and e.asset_no = k.asset_no offset 0) e
          join (select unnest($3) as letter_no, unnest($4) as market_no, unnest($5) as trade_id) w
            on w.market_no = e.market_no and w.trade_id = e.cause_id
        """)

    /// Goes through all entries of the stretch, once for all.
    static let settledBareStatement = Statement(
        "dead_letters_settled_bare",
        """
        select w.letter_no, e.batch_no
          from ledger_entries e
          join (select unnest($3) as letter_no, unnest($4) as market_no, unnest($5) as trade_id) w
            on w.market_no = e.market_no and w.trade_id = e.cause_id
         where e.batch_no >= $1 and e.batch_no < $2 and e.account_no = any ($6) and e.asset_no = any ($7)
        """)

    /// Those of the letters whose trade has entries though it does not count as settled, and in which batch.
    public static func settled(
        _ letters: [Int64], on connection: PostgresConnection
    ) throws(DatabaseError) -> [Int64: BatchNumber] {
        try connection.transaction(.beginSnapshot) { () throws(DatabaseError) in
            // Few are joined with many, and indexes are there for that.
            try connection.script(
                "set local plan_cache_mode = force_custom_plan; set local enable_seqscan = off; "
                    + "set local enable_mergejoin = off; set local statement_timeout = 0")
            let rows = try connection.query(candidatesStatement, .int8s(letters) { $0 })
            let candidates = rows.indices.map { row in
                Candidate(
                    letter: rows.int64(row, 0), market: rows.int32(row, 1), id: rows.string(row, 2),
                    balance: BalanceKey(account: rows.int64(row, 3), asset: rows.int32(row, 4)))
            }
            var settled: [Int64: BatchNumber] = [:]
            guard !candidates.isEmpty else { return settled }
            for segment in try LedgerSegmentStore.read(connection) {
                let rows = try connection.query(
                    segment.isIndexed ? settledIndexedStatement : settledBareStatement,
                    .int8(segment.batches.lowerBound), .int8(segment.batches.upperBound),
                    .int8s(candidates, \.letter), .int4s(candidates, \.market), .texts(candidates) { $0.id },
                    .int8s(candidates) { $0.balance.account }, .int4s(candidates) { $0.balance.asset })
                for row in rows.indices {
                    settled[rows.int64(row, 0)] = min(settled[rows.int64(row, 0)] ?? .max, rows.int64(row, 1))
                }
            }
            return settled
        }
    }
}
