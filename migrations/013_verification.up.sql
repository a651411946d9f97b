-- What was verified of the books, so that a later run may rest on it. A full run asks none of this.

-- Each run. What the worker verifies step by step is one row for each worker, which grows.
create table verification_runs (
    run_no      bigint generated always as identity primary key,
    kind        text not null check (kind in ('full', 'since', 'worker')),
    actor       text not null,
    started_at  timestamptz not null,
    finished_at timestamptz not null,
    from_batch  bigint not null,
    to_batch    bigint not null,
    entries     bigint not null,
    trades      bigint not null,
    violations  bigint not null
);

-- How far the entries of each balance were found to follow from each other: one row a balance, and for a moment more
-- where batches did not commit in the order of their numbers.
create table verified_balances (
    account_no       bigint not null,
    asset_no         integer not null,
    first_version    bigint not null,
    last_version     bigint not null,
    available_before numeric not null,
    frozen_before    numeric not null,
    available_after  numeric not null,
    frozen_after     numeric not null,
    primary key (account_no, asset_no, first_version)
) with (fillfactor = 70, autovacuum_vacuum_cost_delay = 0);

-- One row, from the first run on whose result was kept.
create table verification_state (
    singleton   boolean primary key default true check (singleton),
    -- Every batch before this one was verified, and is what verified_balances says; null before the first clean run.
    next_batch  bigint,
    verified_at timestamptz,
    -- What was found, until a run of the same kind or a full one finds nothing.
    violations  bigint not null default 0,
    finding     text,
    found_by    text check (found_by in ('full', 'since', 'worker')),
    found_at    timestamptz,
    check ((violations > 0) = (found_by is not null))
);

-- Makes the table in which a run keeps what it has verified so far; gone with its session. Its pages have room, in
-- which rows change without another one.
create function begin_verification() returns void language plpgsql as $$
begin
    drop table if exists pg_temp.checked_balances;
    create temp table checked_balances (
        account_no bigint, asset_no integer, first_version bigint, last_version bigint,
        available_before numeric, frozen_before numeric, available_after numeric, frozen_after numeric,
        primary key (account_no, asset_no, first_version)) with (fillfactor = 50);
end $$;
