do $$
declare
    built record;
begin
    for built in
        select n.oid::regclass as name from pg_index x join pg_class n on n.oid = x.indexrelid
         where n.relname ~ '^trades_\d+_by_batch$' or n.relname in ('operations_by_batch', 'dead_letters_by_batch')
    loop
        execute format('drop index %s', built.name);
    end loop;
end $$;

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
