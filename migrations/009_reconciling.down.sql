-- What the tables of before cannot hold goes.
delete from reconciliation_errors where finding <> 'balance';
delete from reconciliation_errors where job_no in (select job_no from reconciliation_jobs where compared <> 'balances');
delete from reconciliation_jobs where compared <> 'balances';

drop index reconciliation_errors_of_trade;

alter table reconciliation_errors
    drop column finding, drop column place, drop column market, drop column trade_id, drop column field,
    drop column theirs, drop column ours, drop column letter_no,
    alter column kind set not null,
    alter column account set not null,
    alter column asset set not null,
    alter column engine_available set not null,
    alter column ledger_available set not null,
    alter column engine_held set not null,
    alter column ledger_held set not null;

alter table reconciliation_jobs
    drop column compared, drop column source, drop column trades, drop column refused,
    alter column stream set not null,
    alter column sequence set not null,
    alter column watermark set not null,
    alter column accounts set not null,
    alter column balances set not null;
