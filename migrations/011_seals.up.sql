-- Seals: what stretches of batches brought, as SHA-256 saw it when they were complete, each chained to the one before.
-- docs/tamper-evidence.md says what is hashed, and how to do it by hand.

create table ledger_seals (
    seal_no           bigint primary key check (seal_no > 0),
    -- Of the batches from first_batch to before next_batch; without a gap from 0 on.
    first_batch       bigint not null unique check (first_batch >= 0),
    next_batch        bigint not null check (next_batch > first_batch),
    batches           bigint not null,
    entries           bigint not null,
    trades            bigint not null,
    operations        bigint not null,
    reversals         bigint not null,
    -- The assets and markets that those name, with their decimals and rules.
    assets            bigint not null,
    markets           bigint not null,
    batches_digest    bytea not null check (octet_length(batches_digest) = 32),
    entries_digest    bytea not null check (octet_length(entries_digest) = 32),
    trades_digest     bytea not null check (octet_length(trades_digest) = 32),
    operations_digest bytea not null check (octet_length(operations_digest) = 32),
    reversals_digest  bytea not null check (octet_length(reversals_digest) = 32),
    assets_digest     bytea not null check (octet_length(assets_digest) = 32),
    markets_digest    bytea not null check (octet_length(markets_digest) = 32),
    sealed_at         timestamptz not null,
    -- Over all of the above and the chain of the seal before.
    chain             bytea not null check (octet_length(chain) = 32)
);

create function seal_is_final() returns trigger language plpgsql as $$
begin
    raise exception 'seals are never changed or removed' using errcode = 'integrity_constraint_violation';
end $$;

create trigger seals_are_final before update or delete on ledger_seals
    for each row execute function seal_is_final();
create trigger seals_stay before truncate on ledger_seals
    for each statement execute function seal_is_final();
