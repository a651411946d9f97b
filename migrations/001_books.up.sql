-- The books: assets, markets, accounts, trades, balances, the ledger, and what could not be settled.
-- Amounts in balances, ledger_entries, operations and holds are integers in the smallest unit of their asset.
-- Prices, quantities and fees of trades are plain decimals, exactly as their sender wrote them.

create table assets (
    asset_no integer generated always as identity primary key,
    symbol   text collate "C" not null unique check (symbol ~ '^[A-Za-z0-9.]{1,16}$'),
    decimals smallint not null check (decimals between 0 and 18),
    added_at timestamptz not null default now()
);

create type fee_rule as enum ('received', 'quote');

create table markets (
    market_no      integer generated always as identity primary key,
    symbol         text collate "C" not null unique check (symbol ~ '^[A-Za-z0-9.]{1,16}/[A-Za-z0-9.]{1,16}$'),
    base_no        integer not null references assets,
    quote_no       integer not null references assets check (quote_no <> base_no),
    price_decimals smallint not null check (price_decimals between 0 and 18),
    tick           numeric check (tick > 0),
    lot            numeric check (lot > 0),
    fees           fee_rule not null default 'received',
    halted         boolean not null default false,
    added_at       timestamptz not null default now()
);

create type account_kind as enum ('customer', 'house', 'world');
create type account_status as enum ('active', 'frozen', 'closed');

-- House and world are several accounts each, numbered '0', '1', …: one for each connection that settles,
-- so that they do not queue up behind one row. They are shown as their sum.
create table accounts (
    account_no bigint generated always as identity primary key,
    id         text collate "C" not null check (octet_length(id) between 1 and 64),
    kind       account_kind not null default 'customer',
    status     account_status not null default 'active',
    opened_at  timestamptz not null default now(),
    unique (id, kind)
);

create index accounts_inactive on accounts (account_no) where status <> 'active';

create table workers (
    worker_no    bigint generated always as identity primary key,
    host         text not null,
    process_id   integer not null,
    version      text not null,
    started_at   timestamptz not null default clock_timestamp(),
    heartbeat_at timestamptz not null default clock_timestamp(),
    in_flight    integer not null default 0
);

create sequence batch_numbers;

create table batches (
    batch_no     bigint primary key,
    worker_no    bigint,
    transaction  xid8 not null default pg_current_xact_id(),
    committed_at timestamptz not null default clock_timestamp(),
    trades       integer not null,
    operations   integer not null,
    rejected     integer not null,
    entries      integer not null
);

create type trade_status as enum ('PENDING', 'SETTLED', 'FAILED');
create type trade_side as enum ('buyer', 'seller');

create sequence received_numbers;

create table trades (
    received_seq  bigint not null default nextval('received_numbers'),
    executed_at   timestamptz,
    received_at   timestamptz not null default now(),
    settled_at    timestamptz,
    batch_no      bigint,
    claimed_by    bigint,
    not_before    timestamptz,
    stream_seq    bigint,
    status        trade_status not null default 'PENDING',
    attempts      integer not null default 0,
    taker         trade_side,
    market        text collate "C" not null,
    -- The one field whose faults cannot be parked under it: what no trade can be called is refused to its sender.
    trade_id      text collate "C" not null
                  check (octet_length(trade_id) between 1 and 64 and trade_id !~ '[\x01-\x1f\x7f]'),
    price         numeric not null,
    quantity      numeric not null,
    buyer_id      text collate "C" not null check (octet_length(buyer_id) between 1 and 64),
    seller_id     text collate "C" not null check (octet_length(seller_id) between 1 and 64),
    buyer_fee     numeric not null default 0,
    seller_fee    numeric not null default 0,
    buy_order_id  text collate "C",
    sell_order_id text collate "C",
    stream        text collate "C",
    primary key (market, trade_id),
    check (status <> 'SETTLED' or batch_no is not null)
) partition by list (market);

create index trades_waiting on trades (received_seq) where status = 'PENDING';
create index trades_waiting_of_buyer on trades (buyer_id, received_seq) where status = 'PENDING';
create index trades_waiting_of_seller on trades (seller_id, received_seq) where status = 'PENDING';

-- A settled trade is final. A failed one changes only by being retried, which makes it PENDING.
create function trade_is_final() returns trigger language plpgsql as $$
begin
    raise exception 'trade %:% is settled and cannot be changed', old.market, old.trade_id
        using errcode = 'integrity_constraint_violation';
end $$;

create trigger settled_is_final before update or delete on trades
    for each row when (old.status = 'SETTLED') execute function trade_is_final();

-- Nor does what a trade says change while it waits: a worker may have read it already.
create function trade_keeps_content() returns trigger language plpgsql as $$
begin
    raise exception 'trade %:% waits to be settled and cannot be changed; delete it and insert it anew',
        old.market, old.trade_id using errcode = 'integrity_constraint_violation';
end $$;

create trigger waiting_keeps_content before update on trades
    for each row when (
        old.status = 'PENDING'
        and (old.market, old.trade_id, old.price, old.quantity, old.buyer_id, old.seller_id, old.buyer_fee,
             old.seller_fee, old.buy_order_id, old.sell_order_id, old.stream)
            is distinct from
            (new.market, new.trade_id, new.price, new.quantity, new.buyer_id, new.seller_id, new.buyer_fee,
             new.seller_fee, new.buy_order_id, new.sell_order_id, new.stream))
    execute function trade_keeps_content();

create function trades_stay() returns trigger language plpgsql as $$
begin
    raise exception 'settled trades are never removed' using errcode = 'integrity_constraint_violation';
end $$;

create trigger trades_stay before truncate on trades for each statement execute function trades_stay();

-- Whoever stores a trade as PENDING wakes the workers; the settling of it does not.
create function trade_is_waiting() returns trigger language plpgsql as $$
begin
    perform pg_notify('settle_pending', '');
    return null;
end $$;

create trigger waiting_is_announced after insert or update of status on trades
    for each row when (new.status = 'PENDING') execute function trade_is_waiting();

create table balances (
    account_no bigint not null references accounts,
    asset_no   integer not null references assets,
    version    bigint not null default 0,
    available  numeric(38, 0) not null default 0,
    frozen     numeric(38, 0) not null default 0 check (frozen >= 0),
    -- How far available may fall: 0 for customers, less with a credit line, null for house and world.
    lowest     numeric(38, 0) default 0 check (lowest <= 0),
    primary key (account_no, asset_no),
    check (available >= lowest)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);

create type entry_kind as enum ('trade', 'fee', 'deposit', 'withdrawal', 'reserve', 'release');

-- Append-only. Each row is one change of one balance: by how much, what the balance was after it, and why.
-- cause_id is the trade's id in its market, or the operation's key.
create table ledger_entries (
    batch_no        bigint not null,
    account_no      bigint not null,
    version         bigint not null,
    place           integer not null,
    asset_no        integer not null,
    market_no       integer,
    kind            entry_kind not null,
    cause_id        text collate "C" not null,
    available_delta numeric(38, 0) not null,
    frozen_delta    numeric(38, 0) not null,
    available_after numeric(38, 0) not null,
    frozen_after    numeric(38, 0) not null,
    primary key (batch_no, place)
) partition by range (batch_no);

create function entries_sum_to_zero() returns trigger language plpgsql as $$
declare
    wrong record;
begin
    select batch_no, asset_no, sum(available_delta + frozen_delta) as total into wrong
      from added group by batch_no, asset_no having sum(available_delta + frozen_delta) <> 0 limit 1;
    if found then
        raise exception 'the entries of batch % do not sum to zero in asset %: %',
            wrong.batch_no, wrong.asset_no, wrong.total using errcode = 'integrity_constraint_violation';
    end if;
    return null;
end $$;

create trigger entries_balance after insert on ledger_entries
    referencing new table as added for each statement execute function entries_sum_to_zero();

create function entry_is_final() returns trigger language plpgsql as $$
begin
    raise exception 'ledger entries are never changed or removed' using errcode = 'integrity_constraint_violation';
end $$;

create trigger entries_are_final before update or delete on ledger_entries
    for each row execute function entry_is_final();
create trigger entries_stay before truncate on ledger_entries
    for each statement execute function entry_is_final();

create type operation_kind as enum ('deposit', 'withdrawal', 'reserve', 'release');

create table operations (
    key        text collate "C" primary key check (octet_length(key) between 1 and 64),
    kind       operation_kind not null,
    account_no bigint not null references accounts,
    asset_no   integer not null references assets,
    amount     numeric(38, 0) not null check (amount > 0),
    stream     text collate "C",
    stream_seq bigint,
    order_id   text collate "C",
    batch_no   bigint not null,
    applied_at timestamptz not null default now()
);

-- What is held for an order. An order of a sender that names no stream belongs to the stream ''.
create table holds (
    stream     text collate "C" not null,
    order_id   text collate "C" not null,
    account_no bigint not null references accounts,
    asset_no   integer not null references assets,
    reserved   numeric(38, 0) not null,
    remaining  numeric(38, 0) not null check (remaining between 0 and reserved),
    primary key (stream, order_id)
);

create type letter_status as enum ('open', 'retried', 'discarded');

create table dead_letters (
    letter_no   bigint generated always as identity primary key,
    -- Says what was received, so that the same thing arriving again is not parked twice.
    fingerprint bytea not null unique,
    class       text not null,
    message     text not null,
    status      letter_status not null default 'open',
    attempts    integer not null,
    -- Whether trades holds it as FAILED; otherwise it lives only here.
    stored      boolean not null,
    market      text collate "C",
    trade_id    text collate "C",
    buyer_id    text collate "C",
    seller_id   text collate "C",
    stream      text collate "C",
    stream_seq  bigint,
    source      text not null,
    payload     bytea not null,
    batch_no    bigint,
    parked_at   timestamptz not null default now(),
    changed_at  timestamptz not null default now()
);

create index dead_letters_of_trade on dead_letters (market, trade_id);
create index dead_letters_by_status on dead_letters (status, letter_no);
create index dead_letters_by_class on dead_letters (class, letter_no);
create index dead_letters_of_buyer on dead_letters (buyer_id, letter_no);
create index dead_letters_of_seller on dead_letters (seller_id, letter_no);

-- What happened to a letter, oldest first: each time it was parked, and each action of an operator.
create table dead_letter_attempts (
    letter_no bigint not null references dead_letters on delete cascade,
    number    integer not null,
    at        timestamptz not null default clock_timestamp(),
    action    text not null check (action in ('parked', 'retried', 'discarded', 'settled')),
    actor     text not null,
    class     text,
    message   text not null,
    primary key (letter_no, number)
);

-- A market gets its own partition of trades. Creating first and attaching then takes no lock on trades that
-- readers or settlements would wait for.
create function add_market(
    market_symbol text, base text, quote text, market_price_decimals integer,
    market_tick numeric, market_lot numeric, market_fees fee_rule
) returns integer language plpgsql as $$
declare
    added integer;
    partition_name text;
begin
    -- Of two that add the same market at once, the second finds it there.
    perform pg_advisory_xact_lock(7401, 3);
    select market_no into added from markets where symbol = market_symbol;
    if found then
        return added;
    end if;
    insert into markets (symbol, base_no, quote_no, price_decimals, tick, lot, fees)
    select market_symbol, b.asset_no, q.asset_no, market_price_decimals, market_tick, market_lot, market_fees
      from assets b, assets q where b.symbol = base and q.symbol = quote
    returning market_no into added;
    if added is null then
        raise exception 'there is no asset % or no asset %', base, quote using errcode = 'foreign_key_violation';
    end if;
    partition_name := 'trades_' || added;
    execute format('create table %I (like trades including defaults including constraints)', partition_name);
    execute format('alter table %I add constraint market_of_partition check (market = %L)',
        partition_name, market_symbol);
    execute format('alter table trades attach partition %I for values in (%L)', partition_name, market_symbol);
    execute format('alter table %I drop constraint market_of_partition', partition_name);
    return added;
end $$;

-- The ledger's ranges make themselves. Batch numbers of a range have the same upper bits; the number moves on
-- to the next range when the newest is large, so a range is bounded in rows as well as in batches.
create function ledger_range_of(batch bigint) returns bigint language sql immutable as $$ select batch >> 20 $$;

create function ensure_ledger_range(batch bigint) returns void language plpgsql as $$
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
end $$;

-- Keeps one range ahead of the newest batch, and moves on early to it when the newest holds many entries.
-- Called by workers from time to time; entries of numbers that were given out before still find their range.
create function maintain_ledger_ranges() returns void language plpgsql as $$
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

select maintain_ledger_ranges();

-- For people and auditors: plain ids and decimals.
create view account_balances as
select case a.kind when 'customer' then a.id else a.kind::text end as account, a.kind, s.symbol as asset,
       round(sum(b.available) / 10::numeric ^ s.decimals, s.decimals) as available,
       round(sum(b.frozen) / 10::numeric ^ s.decimals, s.decimals) as frozen
  from balances b join accounts a using (account_no) join assets s using (asset_no)
 group by 1, 2, s.symbol, s.decimals;

create view settled_trades as
select t.market, t.trade_id, t.price, t.quantity, trunc(t.price * t.quantity, q.decimals) as quote,
       t.buyer_id as buyer, t.seller_id as seller, t.buyer_fee, t.seller_fee, t.executed_at, t.settled_at, t.batch_no
  from trades t join markets m on m.symbol = t.market join assets q on q.asset_no = m.quote_no
 where t.status = 'SETTLED';

create view account_statement as
select case a.kind when 'customer' then a.id else a.kind::text || '/' || a.id end as account, a.kind,
       s.symbol as asset, e.version, e.kind as entry, m.symbol as market, e.cause_id as cause,
       round(e.available_delta / 10::numeric ^ s.decimals, s.decimals) as available_change,
       round(e.frozen_delta / 10::numeric ^ s.decimals, s.decimals) as frozen_change,
       round(e.available_after / 10::numeric ^ s.decimals, s.decimals) as available_after,
       round(e.frozen_after / 10::numeric ^ s.decimals, s.decimals) as frozen_after,
       c.committed_at as at, e.batch_no, e.place
  from ledger_entries e join accounts a using (account_no) join assets s using (asset_no)
  left join markets m using (market_no) join batches c using (batch_no);
