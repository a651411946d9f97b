-- What settling costs the server.

-- Whoever writes holds balances before entries, so they are locked in this order; and not for long, since all who
-- settle wait behind it.
set local lock_timeout = '10s';

-- A page of balances that is fuller than its fillfactor says is tidied up by each update, which was a fifth of what an
-- update cost. So a row is made with some room in it, which its first change after the opening gives up: a page that
-- was filled by half then is emptier from there on, and is tidied up every fifteen updates or so. Rows that are there
-- already stay as they are.
alter table balances add column room bytea;
-- A vacuum would offer what was given up to new rows. Dead versions go without it, when their page is tidied up, and
-- until then are usual: half as many as there are balances. It comes when somebody keeps them from going.
alter table balances alter column room set default decode(repeat('00', 40), 'hex'),
    set (autovacuum_vacuum_scale_factor = 0.9, autovacuum_vacuum_insert_threshold = -1);

-- The ledger goes without a primary key, which cost a quarter of its appending. That a batch is written once follows
-- from the key of `batches`, and that no entry stands twice from the versions of its balance; the verification asks
-- both. Batches are found by their numbers, which rise with the rows as they are appended: a summary of each stretch of
-- pages is enough, and costs an insert next to nothing.
alter table ledger_entries drop constraint ledger_entries_pkey;

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
    execute format('create index %I on %I using brin (batch_no) with (pages_per_range = 32, autosummarize = on)',
        partition_name || '_by_batch', partition_name);
end $$;

-- Ranges in which there is nothing yet have the index at once; it is built for the others beside the work.
do $$
declare
    range_no bigint;
begin
    for range_no in select r.range_no from ledger_ranges() r where pg_relation_size(r.relation) = 0 loop
        execute format('create index %I on %I using brin (batch_no) with (pages_per_range = 32, autosummarize = on)',
            format('ledger_entries_%s_by_batch', range_no), format('ledger_entries_%s', range_no));
    end loop;
end $$;

-- Whether a range that a batch's number is in may be left early. The last numbers of a range are used up: the sequence
-- might step over its end by itself while it is being moved there, and would be moved back.
create function is_ledger_range_left_early(newest bigint) returns boolean language sql immutable as $$
    select ledger_range_of(newest) = ledger_range_of(newest + (1 << 12))
$$;

-- Ends a range that is in use: the numbers of batches go on with the first one of the next. Whoever comes late, since
-- another process has done it, does nothing. Entries of numbers that were given out before still find their range.
create function seal_ledger_range(range_in_use bigint) returns void language plpgsql as $$
declare
    newest bigint;
begin
    perform pg_advisory_xact_lock(7401, 2);
    select last_value into newest from batch_numbers;
    if ledger_range_of(newest) <> range_in_use or not is_ledger_range_left_early(newest) then
        return;
    end if;
    perform ensure_ledger_range((range_in_use + 1) << 20);
    perform setval('batch_numbers', (range_in_use + 1) << 20, false);
    perform ensure_ledger_range((range_in_use + 2) << 20);
end $$;

-- As before; there is one way to move on to the next range.
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

-- As before, for thousands of ranges: no pattern is matched, and each name is taken apart once.
create or replace function ledger_ranges() returns table (range_no bigint, relation oid) language sql stable as $$
    select case when n.number <> '' and translate(n.number, '0123456789', '') = '' then n.number::bigint end, n.oid
      from (select split_part(c.relname, 'ledger_entries_', 2) as number, c.oid
              from pg_inherits i join pg_class c on c.oid = i.inhrelid
             where i.inhparent = 'ledger_entries'::regclass) n
$$;

create or replace function ledger_account_indexes() returns table (
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

create or replace function ledger_segments() returns table (first_batch bigint, next_batch bigint, is_indexed boolean)
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

-- As before, with the indexes by batch, the newest range first: explanations of trades rest on them. And a range that
-- has its pieces is sealed before anything else, since each of them is asked with every entry that is appended, and
-- opened with every statement that appends.
create or replace function reading_index_work(piece_entries bigint) returns table (statement text)
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
       and (n.relname = 'batches_by_time' or n.relname ~ '^trades_\d+_(by_arrival|failed)$'
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
