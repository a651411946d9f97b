-- Reading the books while they grow: which parts of the ledger have an index by account, which indexes are to be built
-- beside the work, and where a balance stood at a time.
--
-- Nothing here locks a table that is in use: indexes of tables that may be large are built concurrently, by a worker,
-- from what reading_index_work() says.

-- As before, with ranges of half the size: what a piece's index is built from stays small, and three years at a million
-- trades a day still come to little more than a thousand ranges, whose locks one statement can hold.
create or replace function maintain_ledger_ranges() returns void language plpgsql as $$
declare
    bytes_max constant bigint := 1 << 29;
    newest bigint;
begin
    perform pg_advisory_xact_lock(7401, 2);
    select last_value into newest from batch_numbers;
    perform ensure_ledger_range(newest);
    perform ensure_ledger_range(newest + (1 << 20));
    if pg_relation_size(format('ledger_entries_%s', ledger_range_of(newest))::regclass) > bytes_max then
        perform setval('batch_numbers', (ledger_range_of(newest) + 1) << 20);
    end if;
end $$;

-- The number of a batch that is about to commit. Readers find the batches of a time by their numbers, and rely on it
-- that numbers are used soon after they were given out; one that is not is refused, and the batch tried again under
-- another.
create function timely_batch(number bigint, given_at timestamptz) returns bigint language plpgsql as $$
begin
    if abs(extract(epoch from clock_timestamp() - given_at)) > 180 then
        raise exception 'the number of batch % was given out too long ago, at %', number, given_at
            using errcode = 'serialization_failure';
    end if;
    return number;
end $$;

create function ledger_ranges() returns table (range_no bigint, relation oid) language sql stable as $$
    select (regexp_match(c.relname, '^ledger_entries_(\d+)$'))[1]::bigint, c.oid
      from pg_inherits i join pg_class c on c.oid = i.inhrelid
     where i.inhparent = 'ledger_entries'::regclass
$$;

-- The indexes by account: one of a whole range that is full, or several of the range in use, each of the batches from
-- first_batch to before next_batch. What is appended behind them costs them nothing.
create function ledger_account_indexes() returns table (
    range_no bigint, index_name name, first_batch bigint, next_batch bigint, is_whole boolean, is_valid boolean
) language sql stable as $$
    select r.range_no, n.relname, coalesce(parts[1]::bigint, r.range_no << 20),
           coalesce(parts[2]::bigint, (r.range_no + 1) << 20), parts is null, x.indisvalid
      from ledger_ranges() r
      join pg_index x on x.indrelid = r.relation
      join pg_class n on n.oid = x.indexrelid
      cross join lateral (select regexp_match(n.relname, '_batches_(\d+)_(\d+)$') as parts) p
     where parts is not null or n.relname = format('ledger_entries_%s_by_account', r.range_no)
$$;

-- The ledger in stretches of batches without a gap, each with an index by account or, at the end that grows, without.
create function ledger_segments() returns table (first_batch bigint, next_batch bigint, is_indexed boolean)
language sql stable as $$
    with usable as (
        select i.range_no, i.first_batch, i.next_batch from ledger_account_indexes() i
         where i.is_valid
           and (i.is_whole or not exists (
                select from ledger_account_indexes() w where w.range_no = i.range_no and w.is_whole and w.is_valid))),
    bare as (
        select coalesce(lag(u.next_batch) over ordered, u.range_no << 20) as first_batch, u.first_batch as next_batch
          from (select * from usable
                union all
                select range_no, (range_no + 1) << 20, (range_no + 1) << 20 from ledger_ranges()) u
        window ordered as (partition by u.range_no order by u.first_batch))
    select u.first_batch, u.next_batch, true from usable u
    union all
    select b.first_batch, b.next_batch, false from bare b where b.first_batch < b.next_batch
$$;

-- What is to be done for readers, in order: indexes that were left unfinished go, and those that are missing are built.
-- The statements cannot run in a transaction; one process at a time carries them out.
create function reading_index_work(piece_entries bigint) returns table (statement text) language plpgsql stable as $$
declare
    newest bigint;
    range_in_use bigint;
    piece_start bigint;
begin
    select last_value into newest from batch_numbers;
    range_in_use := ledger_range_of(newest);

    return query
    select format('drop index concurrently if exists %I', n.relname)
      from pg_index x join pg_class n on n.oid = x.indexrelid
     where not x.indisvalid
       and (n.relname = 'batches_by_time' or n.relname ~ '^trades_\d+_(by_arrival|failed)$'
            or n.relname ~ '^ledger_entries_\d+_(by_account|batches_\d+_\d+)$');

    return query
    select wanted.built from (
        select 1 as turn, 0::bigint as place, 'batches_by_time' as name,
               'create index concurrently batches_by_time on batches (committed_at)' as built
        union all
        select 2, 0, c.relname || '_by_arrival',
               format('create index concurrently %I on %I using brin (received_seq, received_at) '
                   || 'with (pages_per_range = 32, autosummarize = on)', c.relname || '_by_arrival', c.relname)
          from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = 'trades'::regclass
        union all
        select 3, 0, c.relname || '_failed',
               format('create index concurrently %I on %I (received_seq) where status = ''FAILED''',
                   c.relname || '_failed', c.relname)
          from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = 'trades'::regclass
        union all
        select 4, r.range_no, format('ledger_entries_%s_by_account', r.range_no),
               format('create index concurrently %I on %I (account_no, asset_no, version)',
                   format('ledger_entries_%s_by_account', r.range_no), format('ledger_entries_%s', r.range_no))
          from ledger_ranges() r where r.range_no < range_in_use) wanted
     where not exists (
        select from pg_class n join pg_index x on x.indexrelid = n.oid
         where n.relname = wanted.name and x.indisvalid
           and n.relnamespace = (select relnamespace from pg_class where oid = 'batches'::regclass))
     order by wanted.turn, wanted.place;

    return query
    select format('drop index concurrently if exists %I', i.index_name) from ledger_account_indexes() i
     where i.is_valid and not i.is_whole and exists (
        select from ledger_account_indexes() w where w.range_no = i.range_no and w.is_whole and w.is_valid);

    select coalesce(max(i.next_batch), range_in_use << 20) into piece_start
      from ledger_account_indexes() i where i.range_no = range_in_use and i.is_valid and not i.is_whole;
    if (select coalesce(sum(b.entries), 0) from batches b where b.batch_no >= piece_start and b.batch_no < newest)
        >= piece_entries then
        return query
        select format('create index concurrently %I on %I (account_no, asset_no, version) '
            || 'where batch_no >= %s and batch_no < %s',
            format('ledger_entries_%s_batches_%s_%s', range_in_use, piece_start, newest),
            format('ledger_entries_%s', range_in_use), piece_start, newest);
    end if;
end $$;

-- In one indexed stretch of the ledger: a balance's last entry that was committed by a time, and the version of the
-- first one after it. A balance's versions and the times of their commits rise together, since its row is locked from
-- the one to the other; so the entry is found by halving.
create function entry_as_of(
    from_batch bigint, to_batch bigint, of_account bigint, of_asset integer, at timestamptz,
    out version bigint, out batch_no bigint, out committed_at timestamptz, out available numeric, out frozen numeric,
    out next_version bigint
) language plpgsql stable as $$
declare
    -- Written out, not as parameters, so that the planner sees which range and which index it is.
    stretch constant text := format(
        'from ledger_entries e join batches c using (batch_no) where e.batch_no >= %s and e.batch_no < %s '
            || 'and e.account_no = %s and e.asset_no = %s ', from_batch, to_batch, of_account, of_asset);
    found_version bigint;
    found_at timestamptz;
    low bigint;
    high bigint;
    middle bigint;
begin
    execute 'select e.version, c.committed_at ' || stretch || 'order by e.version limit 1' into found_version, found_at;
    if found_version is null then
        return;
    elsif found_at > at then
        next_version := found_version;
        return;
    end if;
    low := found_version;
    execute 'select e.version, c.committed_at ' || stretch || 'order by e.version desc limit 1'
        into found_version, found_at;
    if found_at <= at then
        low := found_version;
    else
        next_version := found_version;
        high := found_version;
        while high - low > 1 loop
            middle := low + (high - low) / 2;
            execute 'select e.version, c.committed_at ' || stretch || 'and e.version >= $1 order by e.version limit 1'
                into found_version, found_at using middle;
            if found_at <= at then
                low := found_version;
            else
                high := middle;
                next_version := found_version;
            end if;
        end loop;
    end if;
    execute 'select e.version, e.batch_no, c.committed_at, e.available_after, e.frozen_after ' || stretch
        || 'and e.version = $1' into version, batch_no, committed_at, available, frozen using low;
end $$;
