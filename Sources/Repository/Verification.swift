/// What must always be true of the books, asked of the tables alone.
///
/// The queries share no code with the settlement: they follow from the design, and an auditor can run them by hand.
public struct Verification: Sendable {
    public struct Violation: Hashable, Sendable {
        public let invariant: Int
        public let subject: String
        public let detail: String
    }

    public struct Report: Sendable {
        public var violations: [Violation] = []
        public var settledTrades: Int64 = 0
        public var entries: Int64 = 0
        public var accounts: Int64 = 0

        public var isClean: Bool { violations.isEmpty }
    }

    /// So many violations of each kind are named.
    public static let violationsMax = 100

    /// Checks everything in one snapshot of the database, so that settlement may go on meanwhile.
    public static func run(on connection: PostgresConnection) throws(DatabaseError) -> Report {
        try connection.liftStatementTimeout()
        try connection.script("set work_mem = '64MB'")
        return try connection.transaction(.beginSnapshot) { () throws(DatabaseError) in
            var report = Report()
            for check in checks {
                let rows = try connection.query(check.statement, .int8(Int64(violationsMax)))
                report.violations += rows.indices.map {
                    Violation(invariant: check.invariant, subject: rows.string($0, 0), detail: rows.string($0, 1))
                }
            }
            let counts = try connection.query(countsStatement)
            report.settledTrades = counts.int64(0, 0)
            report.entries = counts.int64(0, 1)
            report.accounts = counts.int64(0, 2)
            return report
        }
    }

    private static let countsStatement = Statement(
        "verify_counts",
        """
        select (select count(*) from trades where status = 'SETTLED'), (select count(*) from ledger_entries),
               (select count(*) from accounts where kind = 'customer')
        """)

    public struct Check: Sendable {
        public let invariant: Int
        public let statement: Statement
    }

    /// Each query returns who is wrong and how; none of them returns a row while the books are right.
    public static let checks: [Check] = [
        Check(
            invariant: 1,
            statement: Statement(
                "verify_1_totals",
                """
                select 'asset ' || s.symbol,
                       'all balances together are ' || sum(b.available + b.frozen) || ' units, not 0'
                  from balances b join assets s using (asset_no)
                 group by s.symbol having sum(b.available + b.frozen) <> 0 order by 1 limit $1
                """)),
        Check(
            invariant: 2,
            statement: Statement(
                "verify_2_balances",
                """
                with entries as (
                    select account_no, asset_no, sum(available_delta) as available, sum(frozen_delta) as frozen,
                           count(*) as entries, max(version) as newest, count(distinct version) as versions,
                           (array_agg(available_after order by version desc))[1] as available_last,
                           (array_agg(frozen_after order by version desc))[1] as frozen_last
                      from ledger_entries group by account_no, asset_no)
                select 'balance of ' || a.kind || ' ' || a.id || ' in ' || s.symbol,
                       format('available %s, frozen %s, version %s; its %s entries come to %s and %s, version %s, and '
                           || 'the last says %s and %s', b.available, b.frozen, b.version, coalesce(e.entries, 0),
                           coalesce(e.available, 0), coalesce(e.frozen, 0), coalesce(e.newest, 0),
                           coalesce(e.available_last, 0), coalesce(e.frozen_last, 0))
                  from balances b full join entries e using (account_no, asset_no)
                  left join accounts a using (account_no) left join assets s using (asset_no)
                 where b.account_no is null or a.account_no is null
                    or (b.available, b.frozen, b.version) is distinct from
                       (coalesce(e.available, 0), coalesce(e.frozen, 0), coalesce(e.entries, 0))
                    or (b.available, b.frozen, b.version, b.version) is distinct from
                       (coalesce(e.available_last, 0), coalesce(e.frozen_last, 0), coalesce(e.newest, 0),
                        coalesce(e.versions, 0))
                 order by 1 limit $1
                """)),
        Check(
            invariant: 2,
            statement: Statement(
                "verify_2_entries",
                """
                with running as (
                    select account_no, asset_no, version, available_after, frozen_after,
                           sum(available_delta) over earlier as available, sum(frozen_delta) over earlier as frozen
                      from ledger_entries
                    window earlier as (partition by account_no, asset_no order by version rows unbounded preceding))
                select 'balance of ' || a.kind || ' ' || a.id || ' in ' || s.symbol,
                       format('entry %s says %s and %s after it, the entries up to it come to %s and %s', r.version,
                           r.available_after, r.frozen_after, r.available, r.frozen)
                  from running r join accounts a using (account_no) join assets s using (asset_no)
                 where (r.available_after, r.frozen_after) is distinct from (r.available, r.frozen)
                 order by 1, r.version limit $1
                """)),
        Check(
            invariant: 3,
            statement: Statement(
                "verify_3_trades",
                """
                with settled as (
                    select m.market_no, m.base_no, m.quote_no, m.fees, t.batch_no, t.market, t.trade_id,
                           buyer.account_no as buyer, seller.account_no as seller,
                           t.quantity * 10::numeric ^ base.decimals as quantity,
                           floor(t.price * t.quantity * 10::numeric ^ quote.decimals) as quote,
                           t.buyer_fee * 10::numeric ^ (case m.fees when 'received' then base.decimals
                                                        else quote.decimals end) as buyer_fee,
                           t.seller_fee * 10::numeric ^ quote.decimals as seller_fee
                      from trades t join markets m on m.symbol = t.market
                      join assets base on base.asset_no = m.base_no join assets quote on quote.asset_no = m.quote_no
                      left join accounts buyer on buyer.id = t.buyer_id and buyer.kind = 'customer'
                      left join accounts seller on seller.id = t.seller_id and seller.kind = 'customer'
                     where t.status = 'SETTLED'),
                expected as (
                    select market_no, trade_id, batch_no, account_no, asset_no, sum(delta) as delta from (
                        select market_no, trade_id, batch_no, buyer as account_no, base_no as asset_no,
                               quantity - (case fees when 'received' then buyer_fee else 0 end) as delta from settled
                        union all
                        select market_no, trade_id, batch_no, buyer, quote_no,
                               - quote - (case fees when 'quote' then buyer_fee else 0 end) from settled
                        union all
                        select market_no, trade_id, batch_no, seller, base_no, - quantity from settled
                        union all
                        select market_no, trade_id, batch_no, seller, quote_no, quote - seller_fee from settled
                        union all
                        select market_no, trade_id, batch_no, 0,
                               case fees when 'received' then base_no else quote_no end, buyer_fee from settled
                        union all
                        select market_no, trade_id, batch_no, 0, quote_no, seller_fee from settled) legs
                     group by 1, 2, 3, 4, 5 having sum(delta) <> 0),
                booked as (
                    select e.market_no, e.cause_id as trade_id, e.batch_no,
                           case a.kind when 'house' then 0 else e.account_no end as account_no, e.asset_no,
                           sum(e.available_delta + e.frozen_delta) as delta
                      from ledger_entries e join accounts a using (account_no)
                     where e.kind in ('trade', 'fee')
                     group by 1, 2, 3, 4, 5 having sum(e.available_delta + e.frozen_delta) <> 0)
                select 'trade ' || coalesce(m.symbol, '?') || ':' || trade_id,
                       format('batch %s, account %s, asset %s: the trade says %s, the ledger %s', batch_no,
                           account_no, asset_no, coalesce(x.delta, 0), coalesce(b.delta, 0))
                  from expected x full join booked b using (market_no, trade_id, batch_no, account_no, asset_no)
                  left join markets m using (market_no)
                 where x.delta is distinct from b.delta
                 order by 1 limit $1
                """)),
        reversals,
        Check(
            invariant: 3,
            statement: Statement(
                "verify_3_operations",
                """
                with expected as (
                    select o.key, o.batch_no, o.kind::text, o.asset_no, o.account_no,
                           case o.kind when 'deposit' then o.amount when 'release' then o.amount else - o.amount end
                               as available,
                           case o.kind when 'reserve' then o.amount when 'release' then - o.amount else 0 end as frozen
                      from operations o
                    union all
                    select o.key, o.batch_no, o.kind::text, o.asset_no, 0,
                           case o.kind when 'deposit' then - o.amount else o.amount end, 0
                      from operations o where o.kind in ('deposit', 'withdrawal')),
                booked as (
                    select e.cause_id as key, e.batch_no, e.kind::text, e.asset_no,
                           case a.kind when 'world' then 0 else e.account_no end as account_no,
                           sum(e.available_delta) as available, sum(e.frozen_delta) as frozen
                      from ledger_entries e join accounts a using (account_no)
                     where e.kind not in ('trade', 'fee', 'reversal') group by 1, 2, 3, 4, 5)
                select 'operation ' || key,
                       format('%s, account %s, asset %s: it says %s and %s, the ledger %s and %s', kind, account_no,
                           asset_no, x.available, x.frozen, b.available, b.frozen)
                  from expected x full join booked b using (key, batch_no, kind, asset_no, account_no)
                 where (x.available, x.frozen) is distinct from (b.available, b.frozen)
                 order by 1 limit $1
                """)),
        Check(
            invariant: 3,
            statement: Statement(
                "verify_3_batches",
                """
                with sums as (
                    select batch_no, asset_no, count(*) as entries, sum(available_delta + frozen_delta) as total
                      from ledger_entries group by 1, 2),
                counted as (
                    select batch_no, sum(entries) as entries, count(*) filter (where total <> 0) as unbalanced
                      from sums group by 1)
                select 'batch ' || batch_no,
                       format('says %s entries, has %s; %s assets do not sum to zero',
                           coalesce(b.entries::text, 'nothing'), coalesce(c.entries, 0), coalesce(c.unbalanced, 0))
                  from batches b full join counted c using (batch_no)
                 where coalesce(b.entries, -1) <> coalesce(c.entries, 0) or c.unbalanced > 0
                 order by 1 limit $1
                """)),
        Check(
            invariant: 3,
            statement: Statement(
                "verify_3_places",
                """
                select 'batch ' || batch_no, format('has %s entries at place %s', count(*), place)
                  from ledger_entries group by batch_no, place having count(*) > 1
                 order by batch_no, place limit $1
                """)),
        Check(
            invariant: 4,
            statement: Statement(
                "verify_4_states",
                """
                with letters as (
                    select market, trade_id, count(*) filter (where status = 'open') as open,
                           count(*) filter (where status <> 'retried') as standing, count(*) as letters
                      from (select market, trade_id, status from dead_letters where stored
                            union all
                            select market, trade_id, status from purged_letters where stored) l
                     group by market, trade_id)
                select 'trade ' || market || ':' || trade_id,
                       format('is %s with %s dead letters, %s of them open', coalesce(t.status::text, 'missing'),
                           coalesce(l.letters, 0), coalesce(l.open, 0))
                  from (select * from trades where status <> 'SETTLED' or batch_no is null or settled_at is null) t
                  full join letters l using (market, trade_id)
                 where (t.status = 'SETTLED')
                    or (t.status = 'FAILED' and coalesce(l.standing, 0) = 0)
                    or (t.status = 'PENDING' and l.open > 0)
                    or (t.status is null and (l.open > 0 or not exists (
                        select from trades s where s.market = l.market and s.trade_id = l.trade_id)))
                 order by 1 limit $1
                """)),
        Check(
            invariant: 5,
            statement: Statement(
                "verify_5_negative",
                """
                select 'balance of ' || a.id || ' in ' || s.symbol,
                       format('available %s (may fall to %s), frozen %s', b.available, coalesce(b.lowest::text, 'any'),
                           b.frozen)
                  from balances b join accounts a using (account_no) join assets s using (asset_no)
                 where a.kind = 'customer'
                   and (b.frozen < 0 or b.lowest is null or b.available < b.lowest)
                 order by 1 limit $1
                """)),
        Check(
            invariant: 6,
            statement: Statement(
                "verify_6_holds",
                """
                with held as (
                    select account_no, asset_no, sum(remaining) as remaining from holds group by 1, 2)
                select 'balance of ' || coalesce(a.id, '?') || ' in ' || coalesce(s.symbol, '?'),
                       format('has %s frozen, its holds have %s remaining', coalesce(b.frozen, 0),
                           coalesce(h.remaining, 0))
                  from (select * from balances where frozen <> 0) b full join held h using (account_no, asset_no)
                  left join accounts a using (account_no) left join assets s using (asset_no)
                 where coalesce(b.frozen, 0) <> coalesce(h.remaining, 0)
                 order by 1 limit $1
                """)),
    ]
}
