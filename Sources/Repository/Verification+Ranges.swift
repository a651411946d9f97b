/// What is asked of a range of batches, and needs nothing from beyond it.
extension Verification {
    public struct Check: Sendable {
        public let invariant: Int
        public let statement: Statement

        init(_ invariant: Int, _ name: String, _ sql: String) {
            self.invariant = invariant
            statement = Statement(name, sql)
        }
    }

    /// Each takes the first and the last number of the batches, and how many rows it returns at most: who is wrong, and
    /// how. None returns a row while the books are right.
    static func rangeChecks(_ verified: VerifiedBalances) -> [Check] {
        [
            verified.entriesCheck, tradesCheck, reversalsCheck, operationsCheck, batchesCheck, placesCheck,
            settledCheck, reservesCheck, recordsCheck, verified.streams.numbersCheck,
        ]
    }

    /// Of each side of a trade by itself, what it gives and what it receives: somebody may trade with himself.
    private static let tradesCheck = Check(
        3, "verify_3_trades",
        """
        with rules as materialized (
            select m.market_no, m.symbol as market, m.base_no, m.quote_no, m.fees,
                   round(10::numeric ^ base.decimals) as base_units, round(10::numeric ^ quote.decimals) as quote_units
              from markets m
              join assets base on base.asset_no = m.base_no join assets quote on quote.asset_no = m.quote_no),
        settled as (
            select r.market_no, r.base_no, r.quote_no, r.fees, t.batch_no, t.trade_id,
                   buyer.account_no as buyer, seller.account_no as seller, t.quantity * r.base_units as quantity,
                   floor(t.price * t.quantity * r.quote_units) as quote,
                   t.buyer_fee * (case r.fees when 'received' then r.base_units else r.quote_units end) as buyer_fee,
                   t.seller_fee * r.quote_units as seller_fee
              from trades t join rules r using (market)
              left join accounts buyer on buyer.id = t.buyer_id and buyer.kind = 'customer'
              left join accounts seller on seller.id = t.seller_id and seller.kind = 'customer'
             where t.status = 'SETTLED' and t.batch_no between $1 and $2),
        legs as (
            select market_no, trade_id, batch_no, leg.account_no, leg.asset_no, leg.side, leg.delta as said,
                   null::numeric as booked
              from settled cross join lateral (values
                   (buyer, base_no, 1, quantity - (case fees when 'received' then buyer_fee else 0 end)),
                   (buyer, quote_no, -1, - quote - (case fees when 'quote' then greatest(buyer_fee, 0) else 0 end)),
                   (buyer, quote_no, 0, case fees when 'quote' then greatest(- buyer_fee, 0) else 0 end),
                   (seller, base_no, -1, - quantity),
                   (seller, quote_no, 1, quote - seller_fee),
                   (0, case fees when 'received' then base_no else quote_no end, 0, buyer_fee),
                   (0, quote_no, 0, seller_fee)) leg (account_no, asset_no, side, delta)
             where leg.delta <> 0
            union all
            select e.market_no, e.cause_id, e.batch_no,
                   case a.kind when 'house' then 0 else e.account_no end, e.asset_no,
                   case e.kind when 'fee' then 0 else sign(e.available_delta + e.frozen_delta)::integer end,
                   null, e.available_delta + e.frozen_delta
              from ledger_entries e join accounts a using (account_no)
             where e.kind in ('trade', 'fee') and e.batch_no between $1 and $2),
        differing as (
            select market_no, trade_id, batch_no, account_no, asset_no, side, coalesce(sum(said), 0) as said,
                   coalesce(sum(booked), 0) as booked
              from legs group by 1, 2, 3, 4, 5, 6 having coalesce(sum(said), 0) <> coalesce(sum(booked), 0))
        select 'trade ' || coalesce(m.symbol, '?') || ':' || trade_id,
               format('batch %s, account %s, asset %s: the trade says %s, the ledger %s', batch_no,
                   account_no, asset_no, trim_scale(said), booked)
          from differing left join markets m using (market_no)
         order by 1 limit $3
        """)

    private static let operationsCheck = Check(
        3, "verify_3_operations",
        """
        with applied as (
            select key, batch_no, kind, asset_no, account_no, amount from operations where batch_no between $1 and $2),
        expected as (
            select key, batch_no, kind::text, asset_no, account_no,
                   case when kind in ('deposit', 'release') then amount else - amount end as available,
                   case kind when 'reserve' then amount when 'release' then - amount else 0 end as frozen
              from applied
            union all
            select key, batch_no, kind::text, asset_no, 0, case kind when 'deposit' then - amount else amount end, 0
              from applied where kind in ('deposit', 'withdrawal')),
        booked as (
            select e.cause_id as key, e.batch_no, e.kind::text, e.asset_no,
                   case a.kind when 'world' then 0 else e.account_no end as account_no,
                   sum(e.available_delta) as available, sum(e.frozen_delta) as frozen
              from ledger_entries e join accounts a using (account_no)
             where e.kind not in ('trade', 'fee', 'reversal') and e.batch_no between $1 and $2 group by 1, 2, 3, 4, 5)
        select 'operation ' || key,
               format('batch %s, %s, account %s, asset %s: it says %s and %s, the ledger %s and %s', batch_no, kind,
                   account_no, asset_no, coalesce(x.available, 0), coalesce(x.frozen, 0), coalesce(b.available, 0),
                   coalesce(b.frozen, 0))
          from expected x full join booked b using (key, batch_no, kind, asset_no, account_no)
         where (x.available, x.frozen) is distinct from (b.available, b.frozen)
        union all
        select 'operation ' || key, format('batch %s, %s, is of %s, which is no customer''s account', batch_no, p.kind,
                   coalesce('account ' || a.id || ' of the ' || a.kind, 'account ' || account_no))
          from applied p left join accounts a using (account_no) where a.kind is distinct from 'customer'
         order by 1 limit $3
        """)

    private static let batchesCheck = Check(
        3, "verify_3_batches",
        """
        with sums as (
            select batch_no, asset_no, count(*) as entries, sum(available_delta + frozen_delta) as total
              from ledger_entries where batch_no between $1 and $2 group by 1, 2),
        counted as (
            select batch_no, sum(entries) as entries, count(*) filter (where total <> 0) as unbalanced
              from sums group by 1)
        select 'batch ' || batch_no,
               concat_ws('; ',
                   case when b.batch_no is null then format('is not there, but has %s entries', c.entries)
                        when b.entries <> coalesce(c.entries, 0)
                        then format('says %s entries, has %s', b.entries, coalesce(c.entries, 0)) end,
                   case when c.unbalanced > 0
                        then format('does not sum to zero in %s of its assets', c.unbalanced) end)
          from (select batch_no, entries from batches where batch_no between $1 and $2) b
          full join counted c using (batch_no)
         where coalesce(b.entries, -1) <> coalesce(c.entries, 0) or c.unbalanced > 0
         order by 1 limit $3
        """)

    private static let placesCheck = Check(
        3, "verify_3_places",
        """
        select 'batch ' || batch_no, format('has %s entries at place %s', count(*), place)
          from ledger_entries where batch_no between $1 and $2
         group by batch_no, place having count(*) > 1
         order by batch_no, place limit $3
        """)

    private static let settledCheck = Check(
        4, "verify_4_settled",
        """
        select 'trade ' || market || ':' || trade_id, format('was settled in batch %s, but at no time', batch_no)
          from trades where status = 'SETTLED' and settled_at is null and batch_no between $1 and $2
         order by 1 limit $3
        """)

    /// What was reserved for an order since is only ever more.
    private static let reservesCheck = Check(
        6, "verify_6_reserves",
        """
        with reserved as (
            select coalesce(stream, '') as stream, order_id, account_no, asset_no, sum(amount) as amount
              from operations where kind = 'reserve' and batch_no between $1 and $2 group by 1, 2, 3, 4)
        select 'order ' || r.order_id || case r.stream when '' then '' else ' of stream ' || r.stream end,
               case when h.order_id is null then format('reserved %s, and has no hold', r.amount)
                    when (h.account_no, h.asset_no) <> (r.account_no, r.asset_no)
                    then format('reserved for account %s in asset %s, and holds for account %s in asset %s',
                        r.account_no, r.asset_no, h.account_no, h.asset_no)
                    else format('reserved %s, and its hold says %s', r.amount, h.reserved) end
          from reserved r
          left join lateral (select * from holds h where h.order_id = r.order_id and h.stream in (r.stream, '')
                              order by h.stream desc limit 1) h on true
         where h.order_id is null or (h.account_no, h.asset_no) <> (r.account_no, r.asset_no) or h.reserved < r.amount
         order by 1 limit $3
        """)

    /// The key of what an engine did by itself is its place, and a record deposits or withdraws once.
    private static let recordsCheck = Check(
        7, "verify_7_records",
        """
        with applied as (
            select o.key, o.kind, o.stream, o.stream_seq from operations o join feed_state s using (stream)
             where o.batch_no between $1 and $2 and o.stream_seq is not null)
        select 'operation ' || key,
               format('is of record %s of stream %s, which its key does not say', stream_seq, stream)
          from applied
         where kind in ('reserve', 'release') and not starts_with(key, stream || ':' || stream_seq || '.')
        union all
        select 'stream ' || stream,
               format('record %s moves money in or out %s times: %s', stream_seq, count(*),
                   string_agg(key, ', ' order by key))
          from applied where kind in ('deposit', 'withdrawal') group by stream, stream_seq having count(*) > 1
         order by 1 limit $3
        """)
}
