-- A range of the ledger that was left gets its index when no batch can come into it any more. Nobody waits for such a
-- range, so its index is built at once, in one pass over its entries instead of two.

drop function reading_index_work();

-- As before, but the index of a range by account.
--   decided: every batch up to this one is there for good, or never will be.
create function reading_index_work(decided bigint default -1) returns table (statement text)
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
               format('create index %I on %I (account_no, asset_no, version)',
                   format('ledger_entries_%s_by_account', r.range_no), format('ledger_entries_%s', r.range_no))
          from ledger_ranges() r where r.range_no < range_in_use and ((r.range_no + 1) << 20) - 1 <= decided) wanted
     where not exists (
        select from pg_class n join pg_index x on x.indexrelid = n.oid
         where n.relname = wanted.name and x.indisvalid
           and n.relnamespace = (select relnamespace from pg_class where oid = 'batches'::regclass))
     order by wanted.turn, wanted.place;
end $$;
