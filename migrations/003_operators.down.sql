drop table operator_actions, queue_control;
alter table accounts drop column status_at;
alter table workers drop column queued, drop column state, drop column seen_revision;
drop index markets_halted;
drop trigger halt_is_announced on markets;
drop function action_is_final(), control_is_changed();
