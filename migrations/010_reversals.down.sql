-- A value cannot be taken out of a type. It stays, and does no harm where no entry has it; who comes up again finds it.
do $$
begin
    if exists (select from reversals) then
        raise exception 'trades were reversed, which a program from before could not read in the ledger';
    end if;
end $$;

drop table reversals;
drop function reversal_is_final();
