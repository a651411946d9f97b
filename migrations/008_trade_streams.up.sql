-- Whether everything is there of trades that carry a sequence of their sender: of pushed ones, of those from files, and
-- of rows that were inserted. Counted beside the work, by ranges of batches.

create table trade_streams (
    stream        text collate "C" primary key,
    -- The largest number of a trade that is settled or parked. Each number up to it is so, too, or lies in a gap.
    newest        bigint not null check (newest >= 0),
    advanced_at   timestamptz not null default clock_timestamp(),
    -- Why it is not counted any more: its numbers are no sequence.
    uncounted_for text
);

-- Numbers that nothing is known of. What comes late makes a gap smaller, and takes it away in the end; one that an
-- operator gave up stays as it was.
create table trade_stream_gaps (
    stream     text collate "C" not null references trade_streams,
    first_seq  bigint not null check (first_seq > 0),
    last_seq   bigint not null check (last_seq >= first_seq),
    found_at   timestamptz not null,
    -- When the log of a worker said so.
    told_at    timestamptz,
    skipped_at timestamptz,
    actor      text,
    reason     text,
    primary key (stream, first_seq),
    check ((skipped_at is null) = (actor is null) and (skipped_at is null) = (reason is null))
);

create index trade_stream_gaps_open on trade_stream_gaps (found_at) where skipped_at is null;

-- Up to which batch they are counted: one row.
create table trade_stream_count (
    is_only  boolean primary key default true check (is_only),
    batch_no bigint not null
);

insert into trade_stream_count (batch_no) values (-1);
