import TradeModel

/// What counts the numbers of trades, batch by batch.
extension TradeStreamStore {
    /// One process at a time; who finds another at it leaves it to that one.
    static let claimStatement = Statement(
        "trade_stream_claim",
        """
        select batch_no, clock_timestamp() from trade_stream_count
         where pg_try_advisory_xact_lock(\(AdvisoryLock.streamCounting), 1)
        """)

    /// The batch up to which all are counted, and the time; nil while another process is at it. Ends with the
    /// transaction.
    public static func claim(
        on connection: PostgresConnection
    ) throws(DatabaseError) -> (counted: BatchNumber, now: Timestamp)? {
        let rows = try connection.query(claimStatement)
        return rows.count == 0 ? nil : (rows.int64(0, 0), rows.timestamp(0, 1))
    }

    static let endStatement = Statement(
        "trade_stream_end",
        """
        select max(batch_no), count(*) from (
            select batch_no from batches where batch_no > $1 and batch_no <= $2 order by batch_no limit $3) b
        """)

    /// Where to stop so that no more than so many batches are gone through.
    public static func end(
        after batch: BatchNumber, upTo newest: BatchNumber, batchCountMax: Int, on connection: PostgresConnection
    ) throws(DatabaseError) -> BatchNumber {
        let rows = try connection.query(endStatement, .int8(batch), .int8(newest), .int8(Int64(batchCountMax)))
        return rows.int64(0, 1) < Int64(batchCountMax) ? newest : rows.int64(0, 0)
    }

    /// A trade that was settled or parked in a batch says so by the batch's number, itself or by its letter. What
    /// engines are followed for is not counted: their records are, all of them, by their feed.
    static let runsStatement = Statement(
        "trade_stream_runs",
        """
        select stream, min(stream_seq), max(stream_seq)
          from (select stream, stream_seq,
                       stream_seq - row_number() over (partition by stream order by stream_seq) as run
                  from (select stream, stream_seq from trades
                         where batch_no > $1 and batch_no <= $2 and stream is not null and stream_seq > 0
                        union
                        select stream, stream_seq from dead_letters
                         where batch_no > $1 and batch_no <= $2 and stream is not null and stream_seq > 0) brought
                 where not exists (select from feed_state f where f.stream = brought.stream)
                   and not exists (
                    select from trade_streams t where t.stream = brought.stream and t.uncounted_for is not null)
               ) numbered
         group by stream, run order by stream, 2
        """)

    /// The numbers of what was settled or parked in the batches after one of them up to another.
    public static func runs(
        after batch: BatchNumber, upTo last: BatchNumber, on connection: PostgresConnection
    ) throws(DatabaseError) -> [SequenceRun] {
        let rows = try connection.query(runsStatement, .int8(batch), .int8(last))
        return rows.indices.map {
            SequenceRun(
                stream: Identifier(stored: rows.string($0, 0)), numbers: rows.int64($0, 1)...rows.int64($0, 2))
        }
    }

    static let newestStatement = Statement(
        "trade_stream_newest", "select newest from trade_streams where stream = $1")
    static let openStatement = Statement(
        "trade_stream_open",
        """
        select first_seq, last_seq, found_at, told_at from trade_stream_gaps where stream = $1 and skipped_at is null
         order by first_seq for update
        """)

    /// The newest number of a stream, 0 before the first, and its open gaps in order.
    public static func standing(
        of stream: Identifier, on connection: PostgresConnection
    ) throws(DatabaseError) -> (newest: Int64, gaps: [SequenceGap]) {
        let newest = try connection.query(newestStatement, .text(stream.text))
        let gaps = try connection.query(openStatement, .text(stream.text))
        return (
            newest.count == 0 ? 0 : newest.int64(0, 0),
            gaps.indices.map {
                SequenceGap(
                    numbers: gaps.int64($0, 0)...gaps.int64($0, 1), foundAt: gaps.timestamp($0, 2),
                    toldAt: gaps.optional($0, 3, gaps.timestamp))
            }
        )
    }

    static let advanceStatement = Statement(
        "trade_stream_advance",
        """
        insert into trade_streams as s (stream, newest, uncounted_for) values ($1, $2, $3)
            on conflict (stream) do update set newest = excluded.newest, uncounted_for = excluded.uncounted_for,
                advanced_at = clock_timestamp()
        """)
    static let closeStatement = Statement(
        "trade_stream_gaps_close",
        "delete from trade_stream_gaps where stream = $1 and first_seq = any ($2) and skipped_at is null")
    static let openGapsStatement = Statement(
        "trade_stream_gaps_open",
        """
        insert into trade_stream_gaps (stream, first_seq, last_seq, found_at, told_at)
        select $1, g.first, g.last, g.found, g.told
          from (select unnest($2) as first, unnest($3) as last, unnest($4) as found, unnest($5) as told) g
        """)

    /// Writes down how far a stream has come, and the gaps that are no more or new.
    ///
    /// - Parameter uncountedFor: why it is not counted from now on.
    public static func advance(
        _ stream: Identifier, to newest: Int64, closing closed: [Int64],
        opening opened: [SequenceGap], uncountedFor: String?,
        on connection: PostgresConnection
    ) throws(DatabaseError) {
        try connection.query(advanceStatement, .text(stream.text), .int8(newest), .text(uncountedFor))
        if !closed.isEmpty { try connection.query(closeStatement, .text(stream.text), .int8s(closed) { $0 }) }
        guard !opened.isEmpty else { return }
        try connection.query(
            openGapsStatement, .text(stream.text), .int8s(opened) { $0.numbers.lowerBound },
            .int8s(opened) { $0.numbers.upperBound }, .timestamps(opened) { $0.foundAt },
            .timestamps(opened) { $0.toldAt })
    }

    static let countedStatement = Statement("trade_stream_counted", "update trade_stream_count set batch_no = $1")

    /// All batches up to this one are counted.
    public static func note(
        countedUpTo batch: BatchNumber, on connection: PostgresConnection
    ) throws(DatabaseError) {
        try connection.query(countedStatement, .int8(batch))
    }

    static let tellStatement = Statement(
        "trade_stream_gaps_tell",
        """
        update trade_stream_gaps g set told_at = clock_timestamp()
          from (select stream, first_seq from trade_stream_gaps
                 where skipped_at is null and told_at is null
                   and found_at < clock_timestamp() - $1 * interval '1 second'
                   and not exists (select from feed_state f where f.stream = trade_stream_gaps.stream)
                   and not \(TradeStreamStore.isHere("trade_stream_gaps"))
                 order by found_at limit 10 for update skip locked) due
         where g.stream = due.stream and g.first_seq = due.first_seq
        returning g.stream, g.first_seq, g.last_seq
        """)

    /// Gaps that have been there for so long and that nobody was told of yet; a few of them.
    public static func gapsToTell(
        afterSeconds seconds: Int64, on connection: PostgresConnection
    ) throws(DatabaseError) -> [SequenceRun] {
        let rows = try connection.query(tellStatement, .int8(seconds))
        return rows.indices.map {
            SequenceRun(
                stream: Identifier(stored: rows.string($0, 0)), numbers: rows.int64($0, 1)...rows.int64($0, 2))
        }
    }
}
