drop table ledger_seals;
drop function seal_is_final();
