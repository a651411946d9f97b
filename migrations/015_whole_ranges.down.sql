drop function reading_index_work(), ledger_segments();

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
    execute pg_catalog.format('create index %I on %I using brin (batch_no) '
        'with (pages_per_range = 32, autosummarize = on)', partition_name || '_by_batch', partition_name);
end $$;

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

create function ledger_account_indexes() returns table (
    range_no bigint, index_name name, first_batch bigint, next_batch bigint, is_whole boolean, is_valid boolean
) language sql stable as $$
    with ranges as materialized (select r.range_no, r.relation from ledger_ranges() r),
    indexes as materialized (
        select r.range_no, n.relname, x.indisvalid,
               case when translate(p.stretch, '0123456789', '') = '_' then p.stretch else '' end as stretch
          from ranges r
          join pg_index x on x.indrelid = r.relation
          join pg_class n on n.oid = x.indexrelid
          cross join lateral (select split_part(n.relname, '_batches_', 2) as stretch) p)
    select i.range_no, i.relname, coalesce(nullif(split_part(i.stretch, '_', 1), '')::bigint, i.range_no << 20),
           coalesce(nullif(split_part(i.stretch, '_', 2), '')::bigint, (i.range_no + 1) << 20), i.stretch = '',
           i.indisvalid
      from indexes i where i.stretch <> '' or i.relname = 'ledger_entries_' || i.range_no || '_by_account'
$$;

create function ledger_segments() returns table (first_batch bigint, next_batch bigint, is_indexed boolean)
language sql stable as $$
    with valid as materialized (select i.* from ledger_account_indexes() i where i.is_valid),
    usable as materialized (
        select i.range_no, i.first_batch, i.next_batch from valid i
         where i.is_whole or i.range_no not in (select w.range_no from valid w where w.is_whole)),
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

create function reading_index_work(piece_entries bigint) returns table (statement text)
language plpgsql stable as $$
declare
    pieces_max constant integer := 10;
    newest bigint;
    range_in_use bigint;
    piece_start bigint;
begin
    select last_value into newest from batch_numbers;
    range_in_use := ledger_range_of(newest);

    return query
    select format('select seal_ledger_range(%s)', range_in_use) from ledger_account_indexes() i
     where i.range_no = range_in_use and i.is_valid and not i.is_whole and is_ledger_range_left_early(newest)
    having count(*) >= pieces_max;

    return query
    select format('drop index concurrently if exists %I', n.relname)
      from pg_index x join pg_class n on n.oid = x.indexrelid
     where not x.indisvalid
       and (n.relname in ('batches_by_time', 'operations_by_batch', 'dead_letters_by_batch')
            or n.relname ~ '^trades_\d+_(by_arrival|failed|by_batch)$'
            or n.relname ~ '^ledger_entries_\d+_(by_account|by_batch|batches_\d+_\d+)$');

    return query
    select wanted.built from (
        select 0 as turn, - r.range_no as place, format('ledger_entries_%s_by_batch', r.range_no) as name,
               format('create index concurrently %I on %I using brin (batch_no) '
                   || 'with (pages_per_range = 32, autosummarize = on)',
                   format('ledger_entries_%s_by_batch', r.range_no), format('ledger_entries_%s', r.range_no)) as built
          from ledger_ranges() r
        union all
        select 1, 0, 'batches_by_time',
               'create index concurrently batches_by_time on batches (committed_at)'
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
        select 4, 0, c.relname || '_by_batch',
               format('create index concurrently %I on %I using brin (batch_no) '
                   || 'with (pages_per_range = 32, autosummarize = on)', c.relname || '_by_batch', c.relname)
          from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = 'trades'::regclass
        union all
        select 5, 0, 'operations_by_batch',
               'create index concurrently operations_by_batch on operations using brin (batch_no) '
                   || 'with (pages_per_range = 32, autosummarize = on)'
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
