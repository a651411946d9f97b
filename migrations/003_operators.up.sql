-- What operators do: stop the queue and let it run again, halt markets, freeze and close accounts, give credit.
-- Nothing is rewritten: new tables, and new columns that have a default or none.

-- Whether anything is settled. One row; each change raises the revision, by which workers say what they have seen.
create table queue_control (
    singleton  boolean primary key default true check (singleton),
    paused     boolean not null default false,
    -- Since a drain has come to its end: no trade settles, whatever a worker holds or remembers.
    sealed     boolean not null default false check (paused or not sealed),
    revision   bigint not null default 0,
    changed_at timestamptz not null default clock_timestamp(),
    actor      text,
    reason     text
);

insert into queue_control default values;

create function control_is_changed() returns trigger language plpgsql as $$
begin
    perform pg_notify('settle_control', '');
    return null;
end $$;

create trigger queue_control_is_announced after update on queue_control
    for each row execute function control_is_changed();

-- Workers hear of a halted market as they hear of a paused queue; when it goes on they look for what has waited.
create trigger halt_is_announced after update of halted on markets
    for each row when (old.halted <> new.halted) execute function control_is_changed();

create index markets_halted on markets (market_no) where halted;

-- What a worker holds, and which state of the queue it has seen.
alter table workers
    add column queued        integer not null default 0,
    add column state         text not null default 'running',
    add column seen_revision bigint;

-- When the status of an account was last changed; null while it is as it was opened.
alter table accounts add column status_at timestamptz;

-- Every action of an operator, written in the transaction that gave it its effect.
create table operator_actions (
    action_no bigint generated always as identity primary key,
    at        timestamptz not null default clock_timestamp(),
    actor     text not null,
    action    text not null,
    -- What it was done to: 'queue', 'market BTC/USDT', 'account 1001'.
    subject   text collate "C" not null,
    reason    text not null,
    detail    jsonb not null default '{}'
);

create index operator_actions_of_subject on operator_actions (subject, action_no);

create function action_is_final() returns trigger language plpgsql as $$
begin
    raise exception 'what operators did is never changed or removed' using errcode = 'integrity_constraint_violation';
end $$;

create trigger actions_are_final before update or delete on operator_actions
    for each row execute function action_is_final();
create trigger actions_stay before truncate on operator_actions
    for each statement execute function action_is_final();
