/// Invariant 2: each balance's entries follow from each other, from nothing to what the balance is.
///
/// Batches do not commit in the order of their numbers, so a range may have a later entry of a balance and not yet an
/// earlier one. What was checked is therefore a set of pieces: entries whose versions follow each other. A range adds
/// its entries, and what then touches becomes one piece. At the end there must be one for each balance.
extension VerifiedBalances {
    /// Takes the entries of a range of batches up into the pieces of their balances, and names those that do not fit.
    var entriesCheck: Verification.Check {
        Verification.Check(
            2, name("verify_2_entries"),
            """
            with touched as (
                select distinct account_no, asset_no from ledger_entries where batch_no between $1 and $2),
            pieces as (
                select account_no, asset_no, v.version as first_version, v.version as last_version,
                       available_after - available_delta as available_before,
                       frozen_after - frozen_delta as frozen_before, available_after, frozen_after, batch_no, place
                  from ledger_entries e
                 cross join lateral (select least(greatest(e.version, 0), 9223372036854775806)) v (version)
                 where batch_no between $1 and $2
                union all
                select account_no, asset_no, c.first_version, c.last_version, c.available_before, c.frozen_before,
                       c.available_after, c.frozen_after, null, null
                  from \(table) c join touched using (account_no, asset_no)),
            linked as (
                select p.*, lag(last_version) over by_version as previous,
                       lag(available_after) over by_version as available_left,
                       lag(frozen_after) over by_version as frozen_left,
                       lead(first_version) over by_version as following
                  from pieces p
                window by_version as (partition by account_no, asset_no order by first_version, last_version)),
            ordered as (
                select l.*, max(last_version) over (
                           partition by account_no, asset_no order by first_version, last_version
                           rows between unbounded preceding and 1 preceding) as reached
                  from linked l
                 where previous is distinct from first_version - 1 or following is distinct from last_version + 1
                    or available_before is distinct from available_left
                    or frozen_before is distinct from frozen_left),
            begun as (
                select o.*, previous is distinct from first_version - 1
                           and (reached is null or first_version > reached + 1) as begins
                  from ordered o),
            judged as (
                select b.*, following is null or following > greatest(reached, last_version) + 1 as ends,
                       count(*) filter (where begins) over (
                           partition by account_no, asset_no order by first_version, last_version) as piece,
                       case
                           when first_version <= reached then 'stands twice'
                           when first_version = 1 and batch_no is not null
                               and (available_before, frozen_before) <> (0, 0)
                           then format('comes from %s and %s, not from nothing', available_before, frozen_before)
                           when first_version = previous + 1
                               and (available_before, frozen_before) <> (available_left, frozen_left)
                           then format('comes from %s and %s, the one before it left %s and %s', available_before,
                               frozen_before, available_left, frozen_left)
                       end as fault
                  from begun b),
            joined as (
                select account_no, asset_no, min(first_version) as first_version, max(last_version) as last_version,
                       max(available_before) filter (where begins) as available_before,
                       max(frozen_before) filter (where begins) as frozen_before,
                       max(available_after) filter (where ends) as available_after,
                       max(frozen_after) filter (where ends) as frozen_after,
                       array_agg(format('entry %s%s %s', first_version,
                               case when batch_no is null then ''
                                    else format(' (batch %s, place %s)', batch_no, place) end,
                               fault) order by first_version) filter (where fault is not null) as faults
                  from judged group by account_no, asset_no, piece),
            absorbed as (
                delete from \(table) c using joined j
                 where c.account_no = j.account_no and c.asset_no = j.asset_no
                   and c.first_version > j.first_version and c.first_version <= j.last_version),
            extended as (
                insert into \(table) as c (account_no, asset_no, first_version, last_version, available_before,
                                           frozen_before, available_after, frozen_after)
                select account_no, asset_no, first_version, last_version, available_before, frozen_before,
                       available_after, frozen_after from joined
                    on conflict (account_no, asset_no, first_version)
                    do update set last_version = excluded.last_version, available_before = excluded.available_before,
                                  frozen_before = excluded.frozen_before, available_after = excluded.available_after,
                                  frozen_after = excluded.frozen_after)
            select 'balance of ' || coalesce(a.kind || ' ' || a.id, 'account ' || j.account_no) || ' in '
                       || coalesce(s.symbol, 'asset ' || j.asset_no),
                   unnest(j.faults)
              from joined j left join accounts a using (account_no) left join assets s using (asset_no)
             where j.faults is not null
             order by 1 limit $3
            """)
    }

    /// Puts down how the balances stand.
    static let noteStatement = Statement(
        "verify_2_note",
        """
        insert into noted_balances (account_no, asset_no, version, available, frozen)
        select account_no, asset_no, version, available, frozen from balances
        """)

    /// Takes how many rows it returns at most, as do all that ask the tables as they stand.
    ///
    /// A balance may have moved on behind what was read, never back before it; and to what it was at the moment that
    /// everything was read of, entries lead without a gap.
    func balancesCheck(_ standing: Verification.Standing) -> Verification.Check {
        Verification.Check(
            2, name("verify_2_balances") + standing.suffix,
            """
            with pieces as (
                select c.*, lag(last_version, 1, 0::bigint) over by_version as previous,
                       lead(first_version) over by_version is null as is_last
                  from \(table) c
                window by_version as (partition by account_no, asset_no order by first_version)),
            chains as (
                select account_no, asset_no, min(first_version) as first_version, max(last_version) as last_version,
                       max(available_after) filter (where is_last) as available,
                       max(frozen_after) filter (where is_last) as frozen,
                       string_agg(
                           case first_version when previous + 2 then (previous + 1)::text
                                else previous + 1 || ' to ' || first_version - 1 end, ', ' order by first_version)
                           filter (where first_version > previous + 1) as missing,
                       coalesce(max(last_version) filter (where first_version = 1), 0) as reached,
                       coalesce(max(available_after) filter (where first_version = 1), 0) as available_reached,
                       coalesce(max(frozen_after) filter (where first_version = 1), 0) as frozen_reached
                  from pieces group by account_no, asset_no)
            select 'balance of ' || coalesce(a.kind || ' ' || a.id, 'account ' || account_no) || ' in '
                       || coalesce(s.symbol, 'asset ' || asset_no),
                   case when b.account_no is null then 'is not there'
                        else format('available %s, frozen %s, version %s', b.available, b.frozen, b.version) end
                   || case when n.version <> b.version
                        then format(' (when the run began: %s, %s, version %s)', n.available, n.frozen, n.version)
                        else '' end
                   || format('; its entries come to %s and %s, version %s', coalesce(c.available, 0),
                       coalesce(c.frozen, 0), coalesce(c.last_version, 0))
                   || coalesce('; there are none of version ' || c.missing, '')
              from balances b full join chains c using (account_no, asset_no)
              left join \(standing.balances) n using (account_no, asset_no)
              left join accounts a using (account_no) left join assets s using (asset_no)
             where b.account_no is null or a.account_no is null or c.first_version < 1
                or b.version < coalesce(c.last_version, 0)
                or (b.version = coalesce(c.reached, 0) and (b.available, b.frozen)
                    <> (coalesce(c.available_reached, 0), coalesce(c.frozen_reached, 0)))
                or n.version > coalesce(c.reached, 0)
                or (n.version = coalesce(c.reached, 0) and (n.available, n.frozen)
                    <> (coalesce(c.available_reached, 0), coalesce(c.frozen_reached, 0)))
             order by 1 limit $1
            """)
    }
}
