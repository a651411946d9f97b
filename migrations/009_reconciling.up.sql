-- Comparisons of the books with more than an engine's balances: with files of trades, and with the trades of an
-- engine's feed. New columns are empty or have a constant default, so that no row is written anew.

alter table reconciliation_jobs
    -- What the books were compared with: an engine's 'balances' or its 'trades', or a 'file'.
    add column compared text not null default 'balances' check (compared in ('balances', 'trades', 'file')),
    -- The file as it was named.
    add column source   text,
    -- How many trades were compared, and how many lines of a file could not be read.
    add column trades   bigint,
    add column refused  bigint,
    alter column stream drop not null,
    alter column sequence drop not null,
    alter column watermark drop not null,
    alter column accounts drop not null,
    alter column balances drop not null;

alter table reconciliation_errors
    -- 'balance', or of a trade: 'missing_here', 'missing_there', 'different', 'pending', 'parked', 'repeated'.
    add column finding   text not null default 'balance',
    -- The line of the file, or the record of the stream.
    add column place     bigint,
    add column market    text collate "C",
    add column trade_id  text collate "C",
    -- What differs, as they have it and as the books have it.
    add column field     text,
    add column theirs    text,
    add column ours      text,
    add column letter_no bigint,
    alter column kind drop not null,
    alter column account drop not null,
    alter column asset drop not null,
    alter column engine_available drop not null,
    alter column ledger_available drop not null,
    alter column engine_held drop not null,
    alter column ledger_held drop not null;

create index reconciliation_errors_of_trade on reconciliation_errors (market, trade_id) where trade_id is not null;
