-- Each range of the ledger gets its index by account once, when nothing is appended to it any more. The indexes of
-- stretches of the range in use are gone: they and the index that took their place cost a sixth of what settling costs.
-- What the range in use has of an account is found by its index by batch, which says of each stretch of pages whose
-- entries may be there.

-- Whoever writes holds balances before entries, so they are locked in this order; and not for long, since all who
-- settle wait behind it.
set local lock_timeout = '10s';

do $$
declare
    piece record;
begin
    for piece in select i.index_name from ledger_account_indexes() i where not i.is_whole order by i.range_no loop
        execute format('drop index %I', piece.index_name);
    end loop;
end $$;

drop function reading_index_work(bigint), ledger_segments(), ledger_account_indexes();

create function ledger_segments() returns table (first_batch bigint, next_batch bigint, is_indexed boolean)
language sql stable as $$
    select r.range_no << 20, (r.range_no + 1) << 20, i.indexrelid is not null
      from ledger_ranges() r
      left join (pg_index i join pg_class n on n.oid = i.indexrelid and i.indisvalid)
             on i.indrelid = r.relation and n.relname = 'ledger_entries_' || r.range_no || '_by_account'
$$;

-- As before, with the accounts of each stretch of pages.
create or replace function ensure_ledger_range(batch bigint) returns void language plpgsql as $$
declare
    range_no bigint := ledger_range_of(batch);
    partition_name text := 'ledger_entries_' || range_no;
    newest bigint;
begin
    if to_regclass(partition_name) is not null then
        return;
    end if;
    select last_value into newest from batch_numbers;
    if range_no < 0 or range_no > ledger_range_of(newest) + 2 then
        raise exception 'batch % is far from the newest, which is %', batch, newest
            using errcode = 'invalid_parameter_value';
    end if;
    perform pg_advisory_xact_lock(7401, 1);
    if to_regclass(partition_name) is not null then
        return;
    end if;
    execute pg_catalog.format('create table %I (like ledger_entries including defaults including constraints)',
        partition_name);
    execute pg_catalog.format('alter table ledger_entries attach partition %I for values from (%s) to (%s)',
        partition_name, range_no << 20, (range_no + 1) << 20);
    execute pg_catalog.format('create index %I on %I using brin (batch_no, account_no '
        'int8_bloom_ops(n_distinct_per_range = 2000)) with (pages_per_range = 32)',
        partition_name || '_by_batch', partition_name);
end $$;

-- As before, for ranges of half the size: some two million entries.
create or replace function maintain_ledger_ranges() returns void language plpgsql as $$
declare
    bytes_max constant bigint := 1 << 28;
    newest bigint;
begin
    perform pg_advisory_xact_lock(7401, 2);
    select last_value into newest from batch_numbers;
    perform ensure_ledger_range(newest);
    perform ensure_ledger_range(newest + (1 << 20));
    if pg_relation_size(format('ledger_entries_%s', ledger_range_of(newest))::regclass) > bytes_max then
        perform seal_ledger_range(ledger_range_of(newest));
    end if;
end $$;

do $$
declare
    books regnamespace := (select relnamespace from pg_class where oid = 'batches'::regclass);
    definer regprocedure;
begin
    foreach definer in array array['ensure_ledger_range(bigint)', 'maintain_ledger_ranges()']::regprocedure[]
    loop
        execute format('alter function %s security definer set search_path = %s, pg_temp', definer, books);
    end loop;
end $$;

-- Ranges in which there is nothing yet get the new index at once.
do $$
declare
    made record;
begin
    for made in select r.range_no from ledger_ranges() r where pg_relation_size(r.relation) = 0 loop
        execute format('drop index if exists %I', format('ledger_entries_%s_by_batch', made.range_no));
        execute format('create index %I on %I using brin (batch_no, account_no '
            'int8_bloom_ops(n_distinct_per_range = 2000)) with (pages_per_range = 32)',
            format('ledger_entries_%s_by_batch', made.range_no), format('ledger_entries_%s', made.range_no));
    end loop;
end $$;

-- Workers bring the summaries up to date, and a vacuum does. The server would ask its autovacuum for the same at each
-- stretch of pages, of which there are dozens a second when much is settled, and log each for which it has no room.
do $$
declare
    summed record;
begin
    for summed in
        select n.oid::regclass as name from pg_index x join pg_class n on n.oid = x.indexrelid
         where n.reloptions @> array['autosummarize=on']
           and (x.indrelid = 'operations'::regclass
                or x.indrelid in (select inhrelid from pg_inherits where inhparent = 'trades'::regclass)
                or x.indrelid in (select r.relation from ledger_ranges() r, batch_numbers b
                                   where r.range_no >= ledger_range_of(b.last_value) - 1))
    loop
        execute format('alter index %s reset (autosummarize)', summed.name);
    end loop;
end $$;

-- As before, without stretches of the range in use, and without sealing: ranges are left when they are full.
create function reading_index_work() returns table (statement text)
language plpgsql stable as $$
declare
    range_in_use bigint := (select ledger_range_of(last_value) from batch_numbers);
begin
    return query
    select format('drop index concurrently if exists %I', n.relname)
      from pg_index x join pg_class n on n.oid = x.indexrelid
     where not x.indisvalid
       and (n.relname in ('batches_by_time', 'operations_by_batch', 'dead_letters_by_batch')
            or n.relname ~ '^trades_\d+_(by_arrival|failed|by_batch)$'
            or n.relname ~ '^ledger_entries_\d+_(by_account|by_batch)$');

    return query
    select wanted.built from (
        select 0 as turn, - r.range_no as place, format('ledger_entries_%s_by_batch', r.range_no) as name,
               format('create index concurrently %I on %I using brin (batch_no, account_no '
                   || 'int8_bloom_ops(n_distinct_per_range = 2000)) with (pages_per_range = 32)',
                   format('ledger_entries_%s_by_batch', r.range_no), format('ledger_entries_%s', r.range_no)) as built
          from ledger_ranges() r
        union all
        select 1, 0, 'batches_by_time',
               'create index concurrently batches_by_time on batches (committed_at)'
        union all
        select 2, 0, c.relname || '_by_arrival',
               format('create index concurrently %I on %I using brin (received_seq, received_at) '
                   || 'with (pages_per_range = 32)', c.relname || '_by_arrival', c.relname)
          from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = 'trades'::regclass
        union all
        select 3, 0, c.relname || '_failed',
               format('create index concurrently %I on %I (received_seq) where status = ''FAILED''',
                   c.relname || '_failed', c.relname)
          from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = 'trades'::regclass
        union all
        select 4, 0, c.relname || '_by_batch',
               format('create index concurrently %I on %I using brin (batch_no) '
                   || 'with (pages_per_range = 32)', c.relname || '_by_batch', c.relname)
          from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = 'trades'::regclass
        union all
        select 5, 0, 'operations_by_batch',
               'create index concurrently operations_by_batch on operations using brin (batch_no) '
                   || 'with (pages_per_range = 32)'
        union all
        select 6, 0, 'dead_letters_by_batch',
               'create index concurrently dead_letters_by_batch on dead_letters (batch_no)'
        union all
        select 7, r.range_no, format('ledger_entries_%s_by_account', r.range_no),
               format('create index concurrently %I on %I (account_no, asset_no, version)',
                   format('ledger_entries_%s_by_account', r.range_no), format('ledger_entries_%s', r.range_no))
          from ledger_ranges() r where r.range_no < range_in_use) wanted
     where not exists (
        select from pg_class n join pg_index x on x.indexrelid = n.oid
         where n.relname = wanted.name and x.indisvalid
           and n.relnamespace = (select relnamespace from pg_class where oid = 'batches'::regclass))
     order by wanted.turn, wanted.place;
end $$;
