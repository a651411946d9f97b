extension TradeComparison {
    private static let columns = """
        place, market, trade_id, price, quantity, buyer_id, seller_id, buyer_fee, seller_fee, buy_order_id,
        sell_order_id, taker, executed_at, committed_at, stream, stream_seq
        """

    /// Tables of the session: what they say, and of what they say more than once, where first.
    static let tables = """
        set client_min_messages = error; set work_mem = '64MB'; set plan_cache_mode = force_custom_plan;
        create temporary table if not exists stated_trades (
            place bigint, market text collate "C", trade_id text collate "C", price numeric, quantity numeric,
            buyer_id text collate "C", seller_id text collate "C", buyer_fee numeric, seller_fee numeric,
            buy_order_id text collate "C", sell_order_id text collate "C", taker text collate "C",
            executed_at timestamptz, committed_at timestamptz, stream text collate "C", stream_seq bigint);
        create temporary table if not exists stated_repeats (
            market text collate "C", trade_id text collate "C", place bigint);
        create temporary table if not exists stated_without_row (
            market_no integer, market text collate "C", trade_id text collate "C");
        create temporary table if not exists stated_with_entries (
            market text collate "C", trade_id text collate "C", batch_no bigint, primary key (market, trade_id));
        truncate stated_trades, stated_repeats, stated_without_row, stated_with_entries;
        """

    static let addStatement = Statement(
        "stated_trades_add",
        "insert into stated_trades (\(columns)) select \((1...16).map { "unnest($\($0))" }.joined(separator: ", "))")

    static let repeatsStatement = Statement(
        "stated_trades_repeats",
        """
        insert into stated_repeats
        select market, trade_id, min(place) from stated_trades group by market, trade_id having count(*) > 1
        """)

    static let withoutRowStatement = Statement(
        "stated_trades_without_row",
        """
        insert into stated_without_row
        select distinct m.market_no, f.market, f.trade_id from stated_trades f join markets m on m.symbol = f.market
         where not exists (select from trades t where t.market = f.market and t.trade_id = f.trade_id)
        """)

    /// The numbers of batches that a part of the ledger is for.
    static let ledgerRangesStatement = Statement(
        "stated_trades_ranges", "select range_no << 20, (range_no + 1) << 20 from ledger_ranges() order by 1")

    /// Looks through a range of the ledger for entries of what has no row: no index leads to them, and the accounts
    /// that they name need not be those of the entries. Of several ranges the first counts.
    static let withEntriesStatement = Statement(
        "stated_trades_with_entries",
        """
        insert into stated_with_entries
        select w.market, w.trade_id, min(e.batch_no)
          from ledger_entries e join stated_without_row w on w.market_no = e.market_no and w.trade_id = e.cause_id
         where e.batch_no >= $1 and e.batch_no < $2 group by w.market, w.trade_id
            on conflict do nothing
        """)

    static let extentStatement = Statement(
        "stated_trades_extent",
        """
        select count(*), count(committed_at), min(committed_at), max(committed_at),
               count(executed_at), min(executed_at), max(executed_at) from stated_trades
        """)
    static let marketsStatement = Statement(
        "stated_trades_markets", "select distinct market from stated_trades order by market")

    // MARK: What is not the same

    /// Of what is said more than once, what is said first.
    private static let first = """
        select f.* from stated_trades f
         where not exists (select from stated_repeats r
                            where r.market = f.market and r.trade_id = f.trade_id and r.place <> f.place)
        """

    private static func time(_ column: String) -> String {
        "to_char(\(column) at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"
    }

    /// The fields that are compared, where both say them: what they are called, and the SQL for their value as text, in
    /// which `@` is the table. Numbers are without the zeros at their end, so that equal ones have equal texts.
    private static let fields: [(name: String, text: String)] =
        ["price", "quantity", "buyer_fee", "seller_fee"].map { ($0, "trim_scale(@.\($0))::text") }
        + ["buyer_id", "seller_id", "buy_order_id", "sell_order_id"].map { ($0, "@.\($0)") }
        + [("taker", "@.taker::text"), ("executed_at", time("@.executed_at"))]

    private static let fieldRows = fields.map { name, text in
        "('\(name)', \(text.replacing("@", with: "f")), \(text.replacing("@", with: "t")))"
    }.joined(separator: ", ")

    /// Without looking at texts; null counts as equal.
    private static let differs = fields.map { field in
        field.name == "taker" ? "f.taker <> t.taker::text" : "f.\(field.name) <> t.\(field.name)"
    }.joined(separator: " or ")

    /// What is said again in other words.
    private static let isRestated = """
        (f.price, f.quantity, f.buyer_id, f.seller_id, f.buyer_fee, f.seller_fee, f.buy_order_id, f.sell_order_id,
         f.taker, f.executed_at)
         is distinct from
        (o.price, o.quantity, o.buyer_id, o.seller_id, o.buyer_fee, o.seller_fee, o.buy_order_id, o.sell_order_id,
         o.taker, o.executed_at)
        """

    /// The letters of a trade, those that were cleared away too.
    private static func letters(of trade: String) -> String {
        """
        select l.letter_no, l.status::text as status, l.class from dead_letters l
         where l.market = \(trade).market and l.trade_id = \(trade).trade_id
        union all
        select p.letter_no, p.status::text, p.class from purged_letters p
         where p.market = \(trade).market and p.trade_id = \(trade).trade_id
        """
    }

    /// That a trade of theirs `f` was settled, though it has no row; null where nothing says so.
    private static let settledWithoutRow = """
        coalesce(
            (select 'gone, settled in batch ' || e.batch_no from stated_with_entries e
              where e.market = f.market and e.trade_id = f.trade_id),
            (select 'gone, taken back in batch ' || r.batch_no from reversals r
              where r.market = f.market and r.trade_id = f.trade_id))
        """

    /// How its row `t`, or that it has none, contradicts the rest of the books; null where it does not.
    private static let damage = """
        case when t.trade_id is null then \(settledWithoutRow)
             when t.status = 'SETTLED' then null
             when t.settled_at is not null
             then t.status::text || ', settled' || coalesce(' in batch ' || t.batch_no, '')
             when t.status = 'FAILED' and not exists (\(letters(of: "f"))) then 'FAILED, without a letter' end
        """

    /// How the server is to look up each of theirs: by the key of trades while they are few, else all at once. It would
    /// have to guess, from statistics that may be from before the trades.
    static func lookingUp(isFew: Bool) -> String {
        let (few, many) = isFew ? ("on", "off") : ("off", "on")
        return """
            set enable_nestloop = \(few); set enable_seqscan = \(many); set enable_hashjoin = \(many);
            set enable_mergejoin = \(many);
            """
    }

    /// What they say, and the books do not, or otherwise.
    static let theirsStatement = Statement(
        "trade_findings_theirs",
        """
        declare trade_findings no scroll cursor with hold for
        with first as (\(first)),
        found as (
            select f.place, f.market, f.trade_id, x.finding, x.field, x.theirs, x.ours
              from first f left join trades t on t.market = f.market and t.trade_id = f.trade_id
             cross join lateral (
                   select case when d.damage is not null then 'damaged' when t.trade_id is null then 'missing_here'
                               when t.status = 'PENDING' then 'pending' else 'parked' end as finding,
                          case when d.damage is not null then 'row' end as field, null as theirs, d.damage as ours
                     from (select \(damage)) d (damage)
                    where t.status is distinct from 'SETTLED'
                   union all
                   select 'different', d.field, d.theirs, d.ours
                     from (values \(fieldRows)) d (field, theirs, ours) where d.theirs <> d.ours) x
             where t.status is distinct from 'SETTLED' or \(differs)
            union all
            select f.place, f.market, f.trade_id, 'repeated', 'line', f.place::text, o.place::text
              from stated_repeats r
              join stated_trades f on f.market = r.market and f.trade_id = r.trade_id and f.place <> r.place
              join stated_trades o on o.market = r.market and o.trade_id = r.trade_id and o.place = r.place
             where \(isRestated))
        select found.place, found.market, found.trade_id,
               case when found.finding = 'missing_here' and l.letter_no is not null then 'parked'
                    else found.finding end,
               found.field, found.theirs, found.ours, l.letter_no, l.status, l.class
          from found
          left join lateral (
               select * from (\(letters(of: "found"))) l order by letter_no desc limit 1) l
            on found.finding in ('missing_here', 'pending', 'parked')
         order by found.place, found.market, found.trade_id, found.field
        """)

    /// What was settled here, and they do not say.
    static func oursStatement(_ expectation: Expectation) -> Statement {
        let (name, isExpected) = expectation.condition
        return Statement(
            "trade_findings_ours_" + name,
            """
            declare trade_findings no scroll cursor with hold for
            select null::bigint, t.market, t.trade_id, 'missing_there', null::text, null::text, null::text,
                   null::bigint, null::text, null::text
              from trades t
             where t.status = 'SETTLED' and \(isExpected)
               and not exists (select from stated_trades f where f.market = t.market and f.trade_id = t.trade_id)
             order by t.market, t.trade_id
            """)
    }

    static let nextFindingsStatement = Statement("trade_findings_next", "fetch 1000 from trade_findings")

    static let missingStatement = Statement(
        "trades_missing",
        """
        declare trades_missing no scroll cursor with hold for
        with first as (\(first))
        select \(columns) from first f
         where not exists (select from trades t where t.market = f.market and t.trade_id = f.trade_id)
           and \(settledWithoutRow) is null
           and not exists (\(letters(of: "f")))
           and not exists (
               select from stated_trades o join stated_repeats r
                 on r.market = o.market and r.trade_id = o.trade_id and o.place <> r.place
                where o.market = f.market and o.trade_id = f.trade_id and \(isRestated))
         order by place
        """)
    static let nextMissingStatement = Statement("trades_missing_next", "fetch 2000 from trades_missing")
}

extension TradeComparison.Expectation {
    /// Which trades `t` are expected, and what the statement is called that asks so.
    fileprivate var condition: (name: String, sql: String) {
        switch self {
        case .markets(_, .committed, _, _):
            (
                "committed",
                """
                t.market = any ($1) and (($2::timestamptz is null and $3::timestamptz is null) or exists (
                    select from batches b where b.batch_no = t.batch_no
                       and ($2 is null or b.committed_at >= $2) and ($3 is null or b.committed_at < $3)))
                """
            )
        case .markets(_, .executed, _, _):
            (
                "executed",
                """
                t.market = any ($1) and ($2::timestamptz is null or coalesce(t.executed_at, t.settled_at) >= $2)
                   and ($3::timestamptz is null or coalesce(t.executed_at, t.settled_at) < $3)
                """
            )
        case .records: ("of_records", "t.stream = $1 and t.stream_seq between $2 and $3")
        case .nothing: ("here", "false")
        }
    }
}
