-- Following the output of engines.

create table feed_state (
    stream       text collate "C" primary key check (octet_length(stream) between 1 and 64),
    -- Every record up to here is settled, applied or parked; the hash is the one chained up to it. One that is not
    -- known is taken from the feed as it is.
    watermark    bigint not null default 0 check (watermark >= 0),
    hash         bytea default '\x0000000000000000' check (octet_length(hash) = 8),
    -- The latest leader of the engine that was followed: what an earlier one still sends is not taken.
    engine_epoch bigint not null default 0,
    -- Each new follower raises it, and finds that of nobody but itself when it writes.
    lease_epoch  bigint not null default 0,
    -- The worker that follows; others stand by until its time has run out.
    follower     bigint,
    leased_until timestamptz,
    advanced_at  timestamptz not null default clock_timestamp(),
    -- The newest record that the feed has told its follower of.
    newest       bigint not null default 0,
    -- Why nobody is to follow until an operator has looked.
    halted_for   text
);

-- What an engine's feed no longer had when it was asked for. What is in a gap was never settled here, unless the feed
-- got it back and the stream went on from before it.
create table feed_gaps (
    stream     text collate "C" not null references feed_state,
    first_seq  bigint not null check (first_seq > 0),
    last_seq   bigint not null check (last_seq >= first_seq),
    found_at   timestamptz not null default clock_timestamp(),
    -- When an operator had the feed asked once more: what halts the stream next may be something else.
    resumed_at timestamptz,
    -- When an operator let the stream go on behind it; who and why stands in operator_actions, too.
    skipped_at timestamptz,
    actor      text,
    reason     text,
    primary key (stream, first_seq),
    check ((skipped_at is null) = (actor is null) and (skipped_at is null) = (reason is null))
);

-- Comparisons of an engine's balances with the ledger's at one record.
create table reconciliation_jobs (
    job_no           bigint generated always as identity primary key,
    stream           text collate "C" not null,
    -- The record that both sides were compared at, and how far the books were by then.
    sequence         bigint not null,
    watermark        bigint not null,
    started_at       timestamptz not null,
    finished_at      timestamptz not null default clock_timestamp(),
    actor            text not null,
    accounts         bigint not null,
    balances         bigint not null,
    -- All that were found; not more than a thousand of them are in reconciliation_errors.
    differences      bigint not null
);

-- A balance that was not the same on both sides, in plain decimals.
create table reconciliation_errors (
    job_no           bigint not null references reconciliation_jobs,
    number           integer not null,
    -- What the exchange itself earned is the house's.
    kind             account_kind not null,
    account          text collate "C" not null,
    asset            text collate "C" not null,
    engine_available numeric not null,
    ledger_available numeric not null,
    engine_held      numeric not null,
    ledger_held      numeric not null,
    -- What explains it, where something does: letters and trades that wait.
    explanation      text,
    primary key (job_no, number)
);
