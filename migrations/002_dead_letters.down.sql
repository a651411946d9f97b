-- Versions and what is known of purged letters go; events of new kinds are told as those that were known before.
drop trigger letter_keeps_trade on trades;
drop function trade_has_letter();
drop table purged_letters, dead_letter_versions;

delete from dead_letter_attempts where action in ('tried', 'edited');
update dead_letter_attempts set action = 'parked' where action = 'refused';
alter table dead_letter_attempts
    drop constraint dead_letter_attempts_action_check,
    add constraint dead_letter_attempts_action_check check (action in ('parked', 'retried', 'discarded', 'settled')),
    drop column worker_no,
    drop column sqlstate;

drop index dead_letters_by_status, dead_letters_by_class, dead_letters_by_market, dead_letters_by_class_and_market,
    dead_letters_of_buyer, dead_letters_of_seller, dead_letters_in_line, dead_letters_short, dead_letters_due,
    dead_letters_without_row, dead_letters_decided_without_row, dead_letters_resolved;
create index dead_letters_by_status on dead_letters (status, letter_no);
create index dead_letters_by_class on dead_letters (class, letter_no);
create index dead_letters_of_buyer on dead_letters (buyer_id, letter_no);
create index dead_letters_of_seller on dead_letters (seller_id, letter_no);

alter table dead_letters
    drop column received_seq, drop column version, drop column short_account, drop column short_asset,
    drop column short_needed, drop column short_available, drop column short_held, drop column short_missing,
    drop column auto_retries, drop column auto_due_at;
