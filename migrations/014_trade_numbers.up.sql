-- In the order in which a worker that verifies takes them.
lock table verified_balances, verification_state, purged_letters, feed_state in access exclusive mode;

-- Whether all that is counted of the streams that nobody follows is there: asked by the verification, of the tables.

-- What a letter that was cleared away had of its sender's numbers. Earlier versions did not keep it.
alter table purged_letters
    add column stream     text collate "C",
    add column stream_seq bigint,
    add column has_number boolean not null default false;

-- The numbers of settled trades that were verified, in runs without a gap.
create table verified_streams (
    stream    text collate "C" not null,
    first_seq bigint not null,
    last_seq  bigint not null check (last_seq >= first_seq),
    primary key (stream, first_seq)
);

-- As before, with a table of numbers, and two of how balances and streams stood when a run began.
create or replace function begin_verification() returns void language plpgsql as $$
begin
    drop table if exists pg_temp.checked_balances;
    create temp table checked_balances (
        account_no bigint, asset_no integer, first_version bigint, last_version bigint,
        available_before numeric, frozen_before numeric, available_after numeric, frozen_after numeric,
        primary key (account_no, asset_no, first_version)) with (fillfactor = 50);
    drop table if exists pg_temp.checked_streams;
    create temp table checked_streams (
        stream text collate "C", first_seq bigint, last_seq bigint, primary key (stream, first_seq));
    drop table if exists pg_temp.noted_balances;
    create temp table noted_balances (
        account_no bigint, asset_no integer, version bigint, available numeric, frozen numeric);
    drop table if exists pg_temp.noted_numbers;
    create temp table noted_numbers (stream text collate "C", newest bigint, first_seq bigint, last_seq bigint);
end $$;

-- What was verified so far says nothing of numbers, so the next run begins with the first batch. The new name keeps
-- programs of the version before, which say nothing of numbers either, from moving on.
update verification_state set next_batch = null, verified_at = null;
truncate verified_balances;
alter table verification_state rename column next_batch to verified_before;

-- When the feed last said anything, or was first asked in vain; null while none but earlier versions have followed it.
alter table feed_state add column heard_at timestamptz;
