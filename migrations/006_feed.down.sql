drop table feed_state;
