drop view account_statement, settled_trades, account_balances;
drop function maintain_ledger_ranges(), ensure_ledger_range(bigint), ledger_range_of(bigint);
drop function add_market(text, text, text, integer, numeric, numeric, fee_rule);
drop table dead_letter_attempts, dead_letters, holds, operations, ledger_entries, balances, trades, batches, workers,
    accounts, markets, assets;
drop sequence received_numbers, batch_numbers;
drop function entry_is_final(), entries_sum_to_zero(), trade_is_waiting(), trades_stay(),
    trade_keeps_content(), trade_is_final();
drop type letter_status, operation_kind, entry_kind, trade_side, trade_status, account_status, account_kind, fee_rule;
