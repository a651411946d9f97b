do $$
declare
    built record;
begin
    for built in
        select n.oid::regclass as name from pg_index x join pg_class n on n.oid = x.indexrelid
         where n.relname = 'batches_by_time' or n.relname ~ '^trades_\d+_(by_arrival|failed)$'
            or n.relname ~ '^ledger_entries_\d+_(by_account|batches_\d+_\d+)$'
    loop
        execute format('drop index %s', built.name);
    end loop;
end $$;

drop function timely_batch(bigint, timestamptz);
drop function entry_as_of(bigint, bigint, bigint, integer, timestamptz);
drop function reading_index_work(bigint);
drop function ledger_segments();
drop function ledger_account_indexes();
drop function ledger_ranges();

create or replace function maintain_ledger_ranges() returns void language plpgsql as $$
declare
    bytes_max constant bigint := 1 << 30;
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
