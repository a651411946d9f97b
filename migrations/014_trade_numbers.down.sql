lock table verified_balances, verification_state, purged_letters, feed_state in access exclusive mode;

alter table verification_state rename column verified_before to next_batch;

create or replace function begin_verification() returns void language plpgsql as $$
begin
    drop table if exists pg_temp.checked_balances;
    create temp table checked_balances (
        account_no bigint, asset_no integer, first_version bigint, last_version bigint,
        available_before numeric, frozen_before numeric, available_after numeric, frozen_after numeric,
        primary key (account_no, asset_no, first_version)) with (fillfactor = 50);
end $$;

drop table verified_streams;

alter table purged_letters drop column stream, drop column stream_seq, drop column has_number;

alter table feed_state drop column heard_at;
