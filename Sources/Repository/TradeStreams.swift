import TradeModel

/// A sequence that trades of another engine carry, and how complete it is.
public struct TradeStream: Sendable {
    public let stream: Identifier
    /// Every trade up to here is settled or parked, or was given up.
    public let watermark: Int64
    /// The largest number that has come.
    public let newest: Int64
    public let advancedAt: Timestamp
    public let openGapCount: Int64
    /// How many numbers lie in them.
    public let missingCount: Int64
    public let oldestGapAt: Timestamp?
    /// The time as the database has it.
    public let now: Timestamp
    /// Why its gaps are not counted.
    public let uncountedFor: String?
}

/// A stream of trades with old gaps.
public struct LackingStream: Sendable {
    public let stream: Identifier
    public let gapCount: Int64
    public let missingCount: Int64
    public let oldestAt: Timestamp
    /// The time as the database has it.
    public let now: Timestamp
}

/// Numbers of a stream that follow each other without a gap.
public struct SequenceRun: Hashable, Sendable {
    public let stream: Identifier
    public let numbers: ClosedRange<Int64>
}

/// Tables `trade_streams`, `trade_stream_gaps` and `trade_stream_count`.
public enum TradeStreamStore {
    static let listStatement = Statement(
        "trade_streams_list",
        """
        select s.stream, coalesce(g.first - 1, s.newest), s.newest, s.advanced_at, coalesce(g.gaps, 0),
               coalesce(g.missing, 0)::bigint, g.oldest, clock_timestamp(), s.uncounted_for
          from trade_streams s
          left join lateral (
            select min(first_seq) as first, count(*) as gaps, sum(last_seq - first_seq + 1) as missing,
                   min(found_at) as oldest
              from trade_stream_gaps g where g.stream = s.stream and g.skipped_at is null) g on true
         where s.stream > coalesce($1, '') and not exists (select from feed_state f where f.stream = s.stream)
         order by s.stream limit $2
        """)

    /// Streams in the order of their names, behind one of them.
    public static func list(after stream: Identifier? = nil, limit: Int) -> Request {
        Request(listStatement, [.text(stream?.text), .int8(Int64(limit))])
    }

    /// The SQL for whether all of a gap has come and only waits to be settled, as far as those that wait longest tell.
    static func isHere(_ gap: String) -> String {
        """
        (select count(distinct w.stream_seq) from (select stream, stream_seq from trades where status = 'PENDING'
                  order by received_seq limit 10000) w
          where w.stream = \(gap).stream and w.stream_seq between \(gap).first_seq and \(gap).last_seq)
        = \(gap).last_seq - \(gap).first_seq + 1
        """
    }

    static let lackingStatement = Statement(
        "trade_streams_lacking",
        """
        select stream, count(*), sum(last_seq - first_seq + 1)::bigint, min(found_at), clock_timestamp()
          from (select * from trade_stream_gaps g where skipped_at is null
                   and not exists (select from feed_state f where f.stream = g.stream)
                   and not \(isHere("g"))
                   and found_at < clock_timestamp() - $1 * interval '1 second' order by found_at limit 10000) g
         group by stream order by min(found_at) limit 10
        """)

    /// What has been missing for so long: of the streams with the oldest gaps, the gaps and the numbers in them.
    public static func lacking(forSeconds seconds: Int64) -> Request {
        Request(lackingStatement, [.int8(seconds)])
    }

    public static func decodeLacking(_ rows: Rows) -> [LackingStream] {
        rows.indices.map {
            LackingStream(
                stream: Identifier(stored: rows.string($0, 0)), gapCount: rows.int64($0, 1),
                missingCount: rows.int64($0, 2), oldestAt: rows.timestamp($0, 3), now: rows.timestamp($0, 4))
        }
    }

    public static func decode(_ rows: Rows) -> [TradeStream] {
        rows.indices.map { row in
            TradeStream(
                stream: Identifier(stored: rows.string(row, 0)), watermark: rows.int64(row, 1),
                newest: rows.int64(row, 2), advancedAt: rows.timestamp(row, 3), openGapCount: rows.int64(row, 4),
                missingCount: rows.int64(row, 5), oldestGapAt: rows.optional(row, 6, rows.timestamp),
                now: rows.timestamp(row, 7), uncountedFor: rows.optional(row, 8, rows.string))
        }
    }

    static let waitingStatement = Statement(
        "trade_streams_waiting",
        """
        select w.stream, w.stream_seq
          from (select stream, stream_seq from trades where status = 'PENDING' order by received_seq limit 10000) w
         where w.stream = any ($1) and w.stream_seq is not null
        """)

    /// Numbers of trades that have come and wait to be settled, of those that wait longest.
    public static func waiting(_ streams: some Collection<Identifier>) -> Request {
        Request(waitingStatement, [.texts(streams) { $0.text }])
    }

    public static func decodeWaiting(_ rows: Rows) -> [(stream: Identifier, sequence: Int64)] {
        rows.indices.map { (Identifier(stored: rows.string($0, 0)), rows.int64($0, 1)) }
    }

    static let skipStatement = Statement(
        "trade_stream_gaps_skip",
        """
        update trade_stream_gaps set skipped_at = clock_timestamp(), actor = $4, reason = $5
         where stream = $1 and first_seq = $2 and last_seq = $3 and skipped_at is null
        """)

    /// Gives up the numbers of a gap, and records who did it; false where the gap is not as it was any more.
    public static func skip(
        _ gap: FeedGap, actor: String, reason: String, on connection: PostgresConnection
    ) throws(DatabaseError) -> Bool {
        try connection.transaction { () throws(DatabaseError) in
            let skipped = try connection.query(
                skipStatement, .text(gap.stream.text), .int8(gap.records.lowerBound), .int8(gap.records.upperBound),
                .text(actor), .text(reason))
            guard skipped.affected == 1 else { return false }
            try connection.query(OperatorActionStore.record(gap.skipping(actor: actor, reason: reason)))
            return true
        }
    }
}
