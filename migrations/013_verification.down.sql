drop function begin_verification();
drop table verification_state, verified_balances, verification_runs;
