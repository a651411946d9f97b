drop function role_grants(text, text, text);

do $$
declare
    definer regprocedure;
begin
    foreach definer in array array[
        'ensure_ledger_range(bigint)', 'maintain_ledger_ranges()', 'seal_ledger_range(bigint)',
        'add_market(text, text, text, integer, numeric, numeric, fee_rule)']::regprocedure[]
    loop
        execute format('alter function %s security invoker reset search_path', definer);
        execute format('grant execute on function %s to public', definer);
    end loop;
end $$;

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
