set local lock_timeout = '10s';

alter table balances drop column room, reset (autovacuum_vacuum_insert_threshold),
    set (autovacuum_vacuum_scale_factor = 0.02);

do $$
declare
    built record;
begin
    for built in
        select n.oid::regclass as name from pg_index x join pg_class n on n.oid = x.indexrelid
         where n.relname ~ '^ledger_entries_\d+_by_batch$'
    loop
        execute format('drop index %s', built.name);
    end loop;
end $$;

alter table ledger_entries add primary key (batch_no, place);

create or replace function ensure_ledger_range(batch bigint) returns void language plpgsql as $$
declare
    range_no bigint := ledger_range_of(batch);
    partition_name text := 'ledger_entries_' || range_no;
begin
    if to_regclass(partition_name) is not null then
        return;
    end if;
    perform pg_advisory_xact_lock(7401, 1);
    if to_regclass(partition_name) is not null then
        return;
    end if;
    execute format('create table %I (like ledger_entries including defaults including constraints)', partition_name);
    execute format('alter table ledger_entries attach partition %I for values from (%s) to (%s)',
        partition_name, range_no << 20, (range_no + 1) << 20);
end $$;

create or replace function ledger_ranges() returns table (range_no bigint, relation oid) language sql stable as $$
    select (regexp_match(c.relname, '^ledger_entries_(\d+)$'))[1]::bigint, c.oid
      from pg_inherits i join pg_class c on c.oid = i.inhrelid
     where i.inhparent = 'ledger_entries'::regclass
$$;

create or replace function ledger_account_indexes() returns table (
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

create or replace function ledger_segments() returns table (first_batch bigint, next_batch bigint, is_indexed boolean)
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

drop function seal_ledger_range(bigint), is_ledger_range_left_early(bigint);

create or replace function reading_index_work(piece_entries bigint) returns table (statement text)
language plpgsql stable as $$
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
