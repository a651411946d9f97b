drop table reconciliation_errors, reconciliation_jobs, feed_gaps, feed_state;
