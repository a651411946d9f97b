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
