-- Reversals: what a settled trade moved is moved back, once, on an operator's word. The trade itself stays as it is.

-- A value that is new to a type can be used when this transaction has ended, and not before.
alter type entry_kind add value if not exists 'reversal';

-- One row for each trade that was reversed, written with the entries of its batch, whose cause is the trade.
create table reversals (
    market   text collate "C" not null,
    trade_id text collate "C" not null,
    batch_no bigint not null unique,
    actor    text not null,
    reason   text not null,
    primary key (market, trade_id)
);

create function reversal_is_final() returns trigger language plpgsql as $$
begin
    raise exception 'reversals are never changed or removed' using errcode = 'integrity_constraint_violation';
end $$;

create trigger reversals_are_final before update or delete on reversals
    for each row execute function reversal_is_final();
create trigger reversals_stay before truncate on reversals
    for each statement execute function reversal_is_final();
