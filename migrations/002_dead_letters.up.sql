-- Dead letters in an operator's hand: facts beside words, versions, a place in line, and what was cleared away.
-- New columns are empty or have a constant default, so that no row is written anew.

alter table dead_letters
    -- The trade's place in line; letters from before this column come first, in the order of their numbers.
    add column received_seq    bigint not null default 0,
    -- The newest of its versions; what was received is version 1.
    add column version         integer not null default 1,
    -- Who lacked what, in the smallest unit of the asset, where money was lacking.
    add column short_account   text collate "C",
    add column short_asset     text collate "C",
    add column short_needed    numeric(38, 0),
    add column short_available numeric(38, 0),
    add column short_held      numeric(38, 0),
    add column short_missing   numeric(38, 0),
    -- How often it was retried without an operator, and when it may be so again.
    add column auto_retries    integer not null default 0,
    add column auto_due_at     timestamptz not null default '-infinity';

-- Lists are ordered by the time of parking, so that a page, a filter and a span of time are one walk along an index.
drop index dead_letters_by_status, dead_letters_by_class, dead_letters_of_buyer, dead_letters_of_seller;
create index dead_letters_by_status on dead_letters (status, parked_at, letter_no);
create index dead_letters_by_class on dead_letters (status, class, parked_at, letter_no);
create index dead_letters_by_market on dead_letters (status, market, parked_at, letter_no);
create index dead_letters_by_class_and_market on dead_letters (status, class, market, parked_at, letter_no);
create index dead_letters_of_buyer on dead_letters (buyer_id, status, parked_at, letter_no);
create index dead_letters_of_seller on dead_letters (seller_id, status, parked_at, letter_no);
-- Retries go by the place in line.
create index dead_letters_in_line on dead_letters (status, received_seq, letter_no);
create index dead_letters_short on dead_letters (short_account, short_asset, received_seq)
    where status = 'open' and short_account is not null;
create index dead_letters_due on dead_letters (class, auto_due_at, received_seq) where status = 'open' and stored;
-- Those that hold a trade which took no row and may settle when it comes again, and those that operators have decided:
-- whoever settles in a market asks whether it has any, and at the end of each batch whether any were decided since.
create index dead_letters_without_row on dead_letters (market)
    where not stored and class not in ('undecodable', 'invalid', 'conflict');
create index dead_letters_decided_without_row on dead_letters (market)
    where not stored and class <> 'undecodable' and (status = 'discarded' or version > 1);
create index dead_letters_resolved on dead_letters (changed_at, letter_no) where status <> 'open';

alter table dead_letter_attempts
    add column worker_no bigint,
    add column sqlstate  text,
    drop constraint dead_letter_attempts_action_check,
    add constraint dead_letter_attempts_action_check
        check (action in ('tried', 'parked', 'retried', 'refused', 'edited', 'discarded', 'settled')) not valid;
alter table dead_letter_attempts validate constraint dead_letter_attempts_action_check;

-- What operators made of a letter. What was received stays in dead_letters, as version 1.
create table dead_letter_versions (
    letter_no bigint not null references dead_letters on delete cascade,
    version   integer not null check (version > 1),
    payload   bytea not null,
    actor     text not null,
    reason    text not null,
    at        timestamptz not null default clock_timestamp(),
    primary key (letter_no, version)
);

-- What is left of a letter that was cleared away: that it was there, what became of it, and what operators did; and its
-- fingerprint, so that what was received still has no effect when it arrives again.
create table purged_letters (
    letter_no   bigint primary key,
    fingerprint bytea not null,
    market      text collate "C",
    trade_id    text collate "C",
    class       text not null,
    status      letter_status not null check (status <> 'open'),
    stored      boolean not null,
    version     integer not null,
    parked_at   timestamptz not null,
    purged_at   timestamptz not null default clock_timestamp(),
    actor       text not null,
    reason      text not null,
    -- The actions of operators, oldest first.
    actions     jsonb not null
);

create index purged_letters_of_trade on purged_letters (market, trade_id);
create index purged_letters_of_print on purged_letters (fingerprint);
create index purged_letters_decided_without_row on purged_letters (market)
    where not stored and class <> 'undecodable' and (status = 'discarded' or version > 1);

-- A trade on which a dead letter stands keeps its id: what was parked or edited must not settle by coming again.
create function trade_has_letter() returns trigger language plpgsql as $$
declare
    letter bigint;
begin
    select letter_no into letter from (
        select letter_no from dead_letters where market = old.market and trade_id = old.trade_id and stored
        union all
        select letter_no from purged_letters where market = old.market and trade_id = old.trade_id and stored) l
     limit 1;
    if found then
        raise exception 'trade %:% has dead letter % and cannot be deleted: its id stays taken',
            old.market, old.trade_id, letter using errcode = 'integrity_constraint_violation';
    end if;
    return old;
end $$;

create trigger letter_keeps_trade before delete on trades
    for each row when (old.status <> 'SETTLED') execute function trade_has_letter();
