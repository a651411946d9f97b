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
    -- Why nobody is to follow until an operator has looked.
    halted_for   text
);
