drop table feed_gaps;
drop table feed_state;
