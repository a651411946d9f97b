/// What is asked of the tables as they stand, in one snapshot.
extension Verification {
    /// How balances and numbers stood at a moment of which every batch was read: what was read has to lead to it.
    enum Standing {
        /// As they were noted when a run began.
        case noted
        /// As they are, in the snapshot in which the last batches were read.
        case now
        /// Nobody knows: there is more to be read. A balance that nothing moves is compared all the same.
        case unknown

        /// Where the balances of that moment are.
        var balances: String {
            switch self {
            case .noted: "noted_balances"
            case .now: "balances"
            case .unknown: "(select * from balances where false)"
            }
        }

        /// A statement that asks for them has a name of its own.
        var suffix: String { self == .unknown ? "_so_far" : "" }
    }

    /// Each takes how many rows it returns at most: who is wrong, and how.
    static func standingChecks(_ verified: VerifiedBalances, _ standing: Standing) -> [Check] {
        let checks = [
            totalsCheck, verified.balancesCheck(standing), givenCheck, batchlessCheck, statesCheck, negativeCheck,
            creditsCheck, holdsCheck, watermarksCheck, skippedCheck,
        ]
        return standing == .unknown ? checks : checks + [verified.streams.countsCheck(standing)]
    }

    private static let totalsCheck = Check(
        1, "verify_1_totals",
        """
        select 'asset ' || s.symbol,
               'all balances together are ' || sum(b.available + b.frozen) || ' units, not 0'
          from balances b join assets s using (asset_no)
         group by s.symbol having sum(b.available + b.frozen) <> 0 order by 1 limit $1
        """)

    /// The sequence is read behind the snapshot, so whoever was given a number is not above it.
    private static let givenCheck = Check(
        3, "verify_3_given",
        """
        select 'batch ' || batch_no, 'has a number that was not given out yet'
          from batches where batch_no > (select case when is_called then last_value else last_value - 1 end
                                           from batch_numbers)
         order by batch_no limit $1
        """)

    /// No row of `trades` is looked at while the table has its own check of the same.
    private static let batchlessCheck = Check(
        4, "verify_4_batchless",
        """
        select 'trade ' || market || ':' || trade_id, 'is SETTLED in no batch'
          from trades where status = 'SETTLED' and batch_no is null
         order by 1 limit $1
        """)

    /// Trades that are not settled are found by their indexes, and letters name the others.
    private static let statesCheck = Check(
        4, "verify_4_states",
        """
        with letters as (
            select market, trade_id, count(*) filter (where status = 'open') as open,
                   count(*) filter (where status <> 'retried') as standing, count(*) as letters
              from (select market, trade_id, status from dead_letters where stored
                    union all
                    select market, trade_id, status from purged_letters where stored) l
             group by market, trade_id),
        unsettled as (
            select market, trade_id, status from trades where status = 'PENDING'
            union all
            select market, trade_id, status from trades where status = 'FAILED')
        select 'trade ' || market || ':' || trade_id,
               format('is %s with %s dead letters, %s of them open',
                   coalesce(t.status::text, (select s.status::text from trades s
                       where s.market = l.market and s.trade_id = l.trade_id), 'missing'),
                   coalesce(l.letters, 0), coalesce(l.open, 0))
          from unsettled t full join letters l using (market, trade_id)
         where (t.status = 'FAILED' and coalesce(l.standing, 0) = 0)
            or (t.status = 'PENDING' and l.open > 0)
            or (t.status is null and (l.open > 0 or not exists (
                select from trades s where s.market = l.market and s.trade_id = l.trade_id)))
         order by 1 limit $1
        """)

    private static let negativeCheck = Check(
        5, "verify_5_negative",
        """
        select 'balance of ' || a.id || ' in ' || s.symbol,
               format('available %s (may fall to %s), frozen %s', b.available, coalesce(b.lowest::text, 'any'),
                   b.frozen)
          from balances b join accounts a using (account_no) join assets s using (asset_no)
         where a.kind = 'customer'
           and (b.frozen < 0 or b.lowest is null or b.available < b.lowest)
         order by 1 limit $1
        """)

    /// The index of subjects finds what was granted last.
    private static let creditsCheck = Check(
        5, "verify_5_credits",
        """
        select 'balance of ' || a.id || ' in ' || s.symbol,
               format('may fall to %s, %s', b.lowest,
                   coalesce('though the credit granted last was ' || g.amount, 'though no credit was granted'))
          from balances b join accounts a using (account_no) join assets s using (asset_no)
          left join lateral (
                select o.detail ->> 'amount' as amount from operator_actions o
                 where o.subject = 'account ' || a.id and o.action = 'credit' and o.detail ->> 'asset' = s.symbol
                 order by o.action_no desc limit 1) g on true
         where a.kind = 'customer' and b.lowest < 0
           and - b.lowest is distinct from g.amount::numeric * ('1e' || s.decimals)::numeric
         order by 1 limit $1
        """)

    private static let holdsCheck = Check(
        6, "verify_6_holds",
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
        """)

    /// A watermark never goes back behind what was skipped.
    private static let watermarksCheck = Check(
        7, "verify_7_watermarks",
        """
        select 'stream ' || g.stream,
               format('is settled up to record %s, though records %s to %s were skipped', s.watermark, g.first_seq,
                   g.last_seq)
          from feed_gaps g join feed_state s using (stream)
         where g.skipped_at is not null and s.watermark < g.last_seq
         order by 1 limit $1
        """)

    /// Whoever gives numbers up says so.
    private static let skippedCheck = Check(
        7, "verify_7_skipped",
        """
        select 'stream ' || g.stream,
               format('numbers %s to %s were given up, and it is not on record by whom', g.first_seq, g.last_seq)
          from (select stream, first_seq, last_seq from feed_gaps where skipped_at is not null
                union all
                select stream, first_seq, last_seq from trade_stream_gaps where skipped_at is not null) g
         where not exists (
                select from operator_actions o
                 where o.subject = 'feed ' || g.stream and o.action = 'skip'
                   and (o.detail ->> 'first', o.detail ->> 'last') = (g.first_seq::text, g.last_seq::text))
         order by g.stream, g.first_seq limit $1
        """)

    /// What the feed of an engine no longer had, before which its stream waits.
    static let missingStatement = Statement(
        "verify_missing",
        """
        select format('stream %s: records %s to %s, which the feed no longer had', g.stream, g.first_seq, g.last_seq)
          from feed_gaps g join feed_state s using (stream)
         where g.skipped_at is null and g.resumed_at is null and s.watermark < g.first_seq
         order by g.stream, g.first_seq limit $1
        """)
}
