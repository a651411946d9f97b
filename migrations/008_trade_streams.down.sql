drop table trade_stream_gaps, trade_streams, trade_stream_count;
