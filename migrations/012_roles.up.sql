-- Roles: whoever settles may add to the books and change nothing that is in them.

-- As before, and of no use to whoever would make ranges that nobody needs.
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

-- What makes tables and moves numbers on does it with the rights of their owner. None of these takes more than a number
-- or the terms of a market, and what they call is looked for in this schema alone.
do $$
declare
    books regnamespace := (select relnamespace from pg_class where oid = 'batches'::regclass);
    definer regprocedure;
begin
    foreach definer in array array[
        'ensure_ledger_range(bigint)', 'maintain_ledger_ranges()', 'seal_ledger_range(bigint)',
        'add_market(text, text, text, integer, numeric, numeric, fee_rule)']::regprocedure[]
    loop
        execute format('alter function %s security definer set search_path = %s, pg_temp', definer, books);
        execute format('revoke execute on function %s from public', definer);
    end loop;
end $$;

-- What roles are to be granted, statement by statement; who has had more loses it. Null where there is no such role.
--
-- A worker adds to batches, entries, seals, operations, reversals and operator_actions, and changes none of their
-- rows. An operator also adds assets and markets. An auditor reads.
create function role_grants(worker text, operator text, auditor text) returns setof text language sql stable as $$
    with books as (select relnamespace from pg_class where oid = 'batches'::regclass),
    roles as (
        select role, kind from (values (worker, 'worker'), (operator, 'operator'), (auditor, 'auditor')) r (role, kind)
         where role is not null),
    tables as (
        select c.oid::regclass as name, c.relname, c.relkind from pg_class c
         where c.relnamespace = (select relnamespace from books) and c.relkind in ('r', 'p', 'v')
           and not c.relispartition),
    granted as (
        select r.role, t.name,
               case when r.kind = 'auditor' or t.relkind = 'v' or t.relname = 'migrations' then 'select'
                    when t.relname in ('batches', 'ledger_entries', 'ledger_seals', 'operations', 'operator_actions',
                                       'reversals')
                        then 'select, insert'
                    when t.relname in ('assets', 'markets') and r.kind = 'worker' then 'select'
                    when t.relname in ('assets', 'markets', 'accounts', 'balances', 'trades')
                        then 'select, insert, update'
                    else 'select, insert, update, delete' end as rights
          from roles r cross join tables t)
    select statement from (
        -- Whoever can make functions beside ours could have them called in their place.
        select 0 as turn, role || '' as place,
               format('revoke create on schema %s from public, %I',
                   (select relnamespace::regnamespace from books), role) as statement
          from roles
        union all
        select 1, role || '', format('revoke all on %s from %I', c.oid::regclass, role)
          from roles cross join pg_class c
         where c.relnamespace = (select relnamespace from books) and (c.relispartition or c.relkind = 'S')
           and c.relkind in ('r', 'p', 'S')
        union all
        select 1, role || '',
               format('grant usage on schema %s to %I', (select relnamespace::regnamespace from books), role)
          from roles
        union all
        select 2, role || name, format('revoke all on %s from %I', name, role) from granted
        union all
        select 3, role || name, format('grant %s on %s to %I', rights, name, role) from granted
        union all
        select 4, role || s.relname,
               format('grant %s on sequence %s to %I', case kind when 'auditor' then 'select' else 'select, usage' end,
                   s.oid::regclass, role)
          from roles cross join pg_class s
         where s.relkind = 'S' and s.relnamespace = (select relnamespace from books)
        union all
        select 5, role || f, format('grant execute on function %s to %I', f, role)
          from roles cross join unnest(array[
              'ensure_ledger_range(bigint)', 'maintain_ledger_ranges()', 'seal_ledger_range(bigint)',
              'add_market(text, text, text, integer, numeric, numeric, fee_rule)']::regprocedure[]) f
         where kind = 'operator' or (kind = 'worker' and f::text not like '%add_market%')) g
     order by turn, place
$$;
