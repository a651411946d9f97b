extension Rebuild {
    /// Tables of the session, for sums in the smallest units: each balance as it stands beside the sums of its entries;
    /// and what trades and operations come to, the accounts of the house and of the outside world taken as one each.
    /// Each range adds to them, in the room that their pages have, and in memory where they are not too large for that.
    static let tables = """
        set client_min_messages = error; set temp_buffers = '128MB';
        create temporary table if not exists rebuilt_balances (
            account_no bigint, asset_no integer, standing_available numeric, standing_frozen numeric,
            standing_version bigint, available numeric not null default 0, frozen numeric not null default 0,
            entries bigint not null default 0, traded numeric not null default 0, moved numeric not null default 0,
            held numeric not null default 0, primary key (account_no, asset_no)) with (fillfactor = 50);
        create temporary table if not exists rebuilt_causes (
            kind text collate "C", id text collate "C", asset_no integer, traded numeric not null,
            moved numeric not null, held numeric not null, primary key (kind, id, asset_no)) with (fillfactor = 50);
        create temporary table if not exists rebuilt_links (market_no integer, cause_id text collate "C");
        truncate rebuilt_balances, rebuilt_causes, rebuilt_links;
        """

    static let sizeStatement = Statement(
        "rebuild_size", "select coalesce(sum(entries::bigint + trades + operations), 0)::bigint from batches")

    // MARK: From the ledger

    static let standingStatement = Statement(
        "rebuild_standing_balances",
        """
        insert into rebuilt_balances (account_no, asset_no, standing_available, standing_frozen, standing_version)
        select account_no, asset_no, available, frozen, version from balances
         where $1 is null or account_no = any ($1)
        """)

    /// The entries that trades cause, and those that take them back; all others are those of operations.
    private static let tradeKinds = "('trade', 'fee', 'reversal')"

    private static let entrySums = """
        account_no, asset_no, sum(available_delta) as available, sum(frozen_delta) as frozen, count(*) as entries,
        coalesce(sum(available_delta + frozen_delta) filter (where kind in \(tradeKinds)), 0) as traded,
        coalesce(sum(available_delta) filter (where kind not in \(tradeKinds)), 0) as moved,
        coalesce(sum(frozen_delta) filter (where kind not in \(tradeKinds)), 0) as held
        """

    private static let addEntrySums = """
        insert into rebuilt_balances as b (
               account_no, asset_no, available, frozen, entries, traded, moved, held)
        select account_no, asset_no, available, frozen, entries, traded, moved, held from sums
            on conflict (account_no, asset_no)
            do update set available = b.available + excluded.available, frozen = b.frozen + excluded.frozen,
                          entries = b.entries + excluded.entries, traded = b.traded + excluded.traded,
                          moved = b.moved + excluded.moved, held = b.held + excluded.held
        """

    static let entriesStatement = Statement(
        "rebuild_entries",
        """
        with sums as (
            select \(entrySums) from ledger_entries where batch_no between $1 and $2 group by account_no, asset_no),
        added as (\(addEntrySums))
        select coalesce(sum(entries), 0)::bigint from sums
        """)

    static let entriesOfStatement = Statement(
        "rebuild_entries_of_accounts",
        """
        with mine as materialized (
            select account_no, asset_no, available_delta, frozen_delta, kind, market_no, cause_id from ledger_entries
             where batch_no >= $1 and batch_no < $2 and account_no = any ($3)),
        links as (insert into rebuilt_links select distinct market_no, cause_id from mine),
        sums as (select \(entrySums) from mine group by account_no, asset_no),
        added as (\(addEntrySums))
        select coalesce(sum(entries), 0)::bigint from sums
        """)

    // MARK: From trades and operations

    /// What trades change, from their sums by buyer and by seller: the columns buyer_id, seller_id, bought (which of
    /// the two it is), quantity, quote, buyer_fee, seller_fee, and the market's base_no, quote_no and fees.
    private static let tradeLegs = """
        select 'customer' as kind, buyer_id as id, base_no as asset_no,
               quantity - case fees when 'received' then buyer_fee else 0 end as amount from sums where bought
        union all
        select 'customer', buyer_id, quote_no, - quote - case fees when 'quote' then buyer_fee else 0 end
          from sums where bought
        union all
        select 'customer', seller_id, base_no, - quantity from sums where not bought
        union all
        select 'customer', seller_id, quote_no, quote - seller_fee from sums where not bought
        union all
        select 'house', '', case fees when 'received' then base_no else quote_no end, buyer_fee from sums where bought
        union all
        select 'house', '', quote_no, seller_fee from sums where not bought
        """

    private static let tradeColumns = """
        t.market, t.price, t.quantity, t.buyer_id, t.seller_id, t.buyer_fee, t.seller_fee
        """
    /// The sums of the trades that are `in_effect`, each as many times as it says.
    private static let tradeSums = """
        select m.base_no, m.quote_no, m.fees, t.buyer_id, t.seller_id, grouping(t.buyer_id) = 0 as bought,
               sum(times * t.quantity) as quantity,
               sum(times * trunc(t.price * t.quantity, q.decimals::integer)) as quote,
               sum(times * t.buyer_fee) as buyer_fee, sum(times * t.seller_fee) as seller_fee, sum(times) as trades
          from in_effect t join markets m on m.symbol = t.market join assets q on q.asset_no = m.quote_no
         group by m.base_no, m.quote_no, m.fees, grouping sets ((t.buyer_id), (t.seller_id))
        """

    private static let addCauses = """
        insert into rebuilt_causes as c (kind, id, asset_no, traded, moved, held)
        """
    private static let ontoCauses = """
        on conflict (kind, id, asset_no)
        do update set traded = c.traded + excluded.traded, moved = c.moved + excluded.moved,
                      held = c.held + excluded.held
        """
    private static let inUnits = "sum(l.amount) * ('1e' || s.decimals)::numeric"

    /// A trade that was taken back comes to nothing. It counts with its own batch all the same, and against itself with
    /// that of its reversal, which may be of another range, or come when all of this is over.
    static let tradesStatement = Statement(
        "rebuild_trades",
        """
        with in_effect as (
            select \(tradeColumns), 1 as times from trades t where t.status = 'SETTLED' and t.batch_no between $1 and $2
            union all
            select \(tradeColumns), -1 from reversals r join trades t on t.market = r.market and t.trade_id = r.trade_id
             where t.status = 'SETTLED' and r.batch_no between $1 and $2),
        sums as materialized (\(tradeSums)),
        added as (
            \(addCauses)
            select l.kind, l.id, l.asset_no, \(inUnits), 0, 0
              from (\(tradeLegs)) l join assets s using (asset_no) group by l.kind, l.id, l.asset_no, s.decimals
            \(ontoCauses))
        select coalesce(sum(trades) filter (where bought), 0)::bigint from sums
        """)

    /// Whose sums are asked for: $1 are the kinds of their accounts, $2 the ids.
    private static let isWanted = """
        exists (select from unnest($1, $2) as wanted (kind, id)
                 where wanted.kind = l.kind and (wanted.kind <> 'customer' or wanted.id = l.id))
        """

    static let tradesOfStatement = Statement(
        "rebuild_trades_of_accounts",
        """
        with in_effect as (
            select \(tradeColumns), 1 as times
              from (select distinct market_no, cause_id from rebuilt_links where market_no is not null) k
              join markets m using (market_no) join trades t on t.market = m.symbol and t.trade_id = k.cause_id
             where t.status = 'SETTLED'
               and not exists (select from reversals r where r.market = t.market and r.trade_id = t.trade_id)),
        sums as materialized (\(tradeSums)),
        added as (
            \(addCauses)
            select l.kind, l.id, l.asset_no, \(inUnits), 0, 0
              from (\(tradeLegs)) l join assets s using (asset_no)
             where \(isWanted) group by l.kind, l.id, l.asset_no, s.decimals
            \(ontoCauses))
        select coalesce(sum(trades) filter (where bought), 0)::bigint from sums
        """)

    /// What operations change; the columns are those of the table.
    private static let operationLegs = """
        select a.kind::text as kind, case a.kind when 'customer' then a.id else '' end as id, o.asset_no,
               case when o.kind in ('deposit', 'release') then o.amount else - o.amount end as moved,
               case o.kind when 'reserve' then o.amount when 'release' then - o.amount else 0 end as held
          from own o join accounts a using (account_no)
        union all
        select 'world', '', asset_no, case kind when 'deposit' then - amount else amount end, 0
          from own where kind in ('deposit', 'withdrawal')
        """

    static let operationsStatement = Statement(
        "rebuild_operations",
        """
        with own as materialized (select * from operations where batch_no between $1 and $2),
        added as (
            \(addCauses)
            select l.kind, l.id, l.asset_no, 0, sum(l.moved), sum(l.held) from (\(operationLegs)) l group by 1, 2, 3
            \(ontoCauses))
        select count(*) from own
        """)

    static let operationsOfStatement = Statement(
        "rebuild_operations_of_accounts",
        """
        with own as materialized (
            select o.* from (select distinct cause_id from rebuilt_links where market_no is null) k
              join operations o on o.key = k.cause_id),
        added as (
            \(addCauses)
            select l.kind, l.id, l.asset_no, 0, sum(l.moved), sum(l.held) from (\(operationLegs)) l
             where \(isWanted) group by 1, 2, 3
            \(ontoCauses))
        select count(*) from own
        """)

    // MARK: The comparison

    /// The name of an account as statements have it.
    private static let accountName = """
        coalesce(case a.kind when 'customer' then a.id else a.kind || '/' || a.id end, 'number ' || account_no)
        """
    private static let assetName = "coalesce(s.symbol, 'number ' || asset_no)"

    /// Whole units in plain decimals, without dividing; what is not whole shows all that it has.
    private static func plain(_ value: String) -> String {
        "(trim_scale(\(value)) * ('1e-' || f.decimals)::numeric)::text"
    }

    private static let figures = """
        f.figure, \(plain("f.standing")), \(plain("f.rebuilt")), \(plain("f.rebuilt - coalesce(f.standing, 0)")),
        count(*) over ()
        """

    static let balancesStatement = Statement(
        "rebuild_differences_of_balances",
        """
        select \(accountName) as account, \(assetName) as asset, \(figures)
          from rebuilt_balances b left join accounts a using (account_no) left join assets s using (asset_no)
         cross join lateral (values
               (1, 'available', b.standing_available, b.available, coalesce(s.decimals, 0)),
               (2, 'frozen', b.standing_frozen, b.frozen, coalesce(s.decimals, 0)),
               (3, 'version', b.standing_version, b.entries, 0)) f (place, figure, standing, rebuilt, decimals)
         where coalesce(f.standing, 0) <> f.rebuilt
         order by account, asset, f.place limit $1
        """)

    /// The sums of an account's entries of one kind of cause beside what these causes say.
    static let sumsStatement = Statement(
        "rebuild_differences_of_sums",
        """
        with ledger as (
            select coalesce(a.kind::text, 'unknown') as kind,
                   case when a.kind = 'customer' then a.id when a.kind is null then 'number ' || b.account_no
                        else '' end collate "C" as id,
                   b.asset_no, sum(b.traded) as traded, sum(b.moved) as moved, sum(b.held) as held
              from rebuilt_balances b left join accounts a using (account_no) group by 1, 2, 3)
        select case kind when 'customer' then id when 'unknown' then id else kind end as account,
               \(assetName) as asset, \(figures)
          from ledger l full join rebuilt_causes c using (kind, id, asset_no) left join assets s using (asset_no)
         cross join lateral (values
               (1, 'traded', coalesce(l.traded, 0), coalesce(c.traded, 0), coalesce(s.decimals, 0)),
               (2, 'moved', coalesce(l.moved, 0), coalesce(c.moved, 0), coalesce(s.decimals, 0)),
               (3, 'held', coalesce(l.held, 0), coalesce(c.held, 0), coalesce(s.decimals, 0)))
               f (place, figure, standing, rebuilt, decimals)
         where f.standing <> f.rebuilt
         order by account, asset, f.place limit $1
        """)

    // MARK: What is written

    private static func plainColumn(_ units: String, _ name: String) -> String {
        "trim_scale(\(units)) * ('1e-' || s.decimals)::numeric as \(name)"
    }

    /// The balances as they come out, for a table of their own.
    static let balanceRows = """
        select a.kind as account_kind, a.id as account, s.symbol as asset,
               \(plainColumn("b.available", "available")), \(plainColumn("b.frozen", "frozen")),
               b.entries as version, b.available as available_units, b.frozen as frozen_units, b.account_no, b.asset_no
          from rebuilt_balances b left join accounts a using (account_no) left join assets s using (asset_no)
         where b.entries > 0 order by a.kind, a.id, s.symbol
        """

    /// What the trades and the operations of each account come to.
    static let sumRows = """
        select c.kind as account_kind, case c.kind when 'customer' then c.id else c.kind end as account,
               s.symbol as asset, \(plainColumn("c.traded", "from_trades")),
               \(plainColumn("c.moved", "available_from_operations")),
               \(plainColumn("c.held", "frozen_from_operations")),
               \(plainColumn("c.traded + c.moved + c.held", "total")),
               trim_scale(c.traded + c.moved + c.held) as total_units, c.asset_no
          from rebuilt_causes c join assets s using (asset_no)
         order by c.kind, c.id, s.symbol
        """
}
