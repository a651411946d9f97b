drop table feed_gaps, feed_state;
