import TradeModel

/// Records of a stream that its feed no longer had when they were asked for, or numbers that no trade has come with.
public struct FeedGap: Sendable {
    public enum State: String, Sendable {
        /// The stream is halted before it, or its trades have not come.
        case open
        /// An operator gave it up: what is in it was never settled.
        case skipped
        /// An operator had the feed asked once more; it is not known yet what came of it.
        case retried
        /// The feed got it back, and it was settled.
        case closed
    }

    public let stream: Identifier
    /// Whether it is in the output of an engine that is followed; otherwise trades carry the numbers.
    public let isFollowed: Bool
    public let records: ClosedRange<Int64>
    public let foundAt: Timestamp
    /// The time as the database has it.
    public let now: Timestamp
    public let state: State
    public let skippedAt: Timestamp?
    public let actor: String?
    public let reason: String?
}

/// Table `feed_gaps`.
public enum FeedGapStore {
    static let noteStatement = Statement(
        "feed_gaps_note",
        """
        insert into feed_gaps as g (stream, first_seq, last_seq)
        select stream, watermark + 1, $3 from feed_state where stream = $1 and lease_epoch = $2 and watermark < $3
            on conflict (stream, first_seq)
            do update set last_seq = excluded.last_seq, resumed_at = null where g.skipped_at is null
        """)

    /// Takes down that the feed has nothing from behind the watermark up to a record; to be sent by whoever has the
    /// lease, with what halts the stream.
    public static func note(_ stream: Identifier, _ lease: FeedLease, upTo last: Int64) -> Request {
        Request(noteStatement, [.text(stream.text), .int8(lease.epoch), .int8(last)])
    }

    static let tryAgainStatement = Statement(
        "feed_gaps_try_again",
        """
        update feed_gaps set resumed_at = clock_timestamp()
         where stream = $1 and skipped_at is null and resumed_at is null
        """)

    /// Whatever is missing is asked for once more: what halts the stream next may be something else.
    static func tryAgain(_ stream: Identifier) -> Request {
        Request(tryAgainStatement, [.text(stream.text)])
    }

    /// Of both kinds.
    private static let gaps = """
        (select g.stream, g.first_seq, g.last_seq, g.found_at,
                case when g.skipped_at is not null then 'skipped'
                     when s.watermark >= g.first_seq then 'closed'
                     when g.resumed_at is not null then 'retried' else 'open' end as state,
                g.skipped_at, g.actor, g.reason, true as is_followed
           from feed_gaps g join feed_state s on s.stream = g.stream
         union all
         select g.stream, g.first_seq, g.last_seq, g.found_at,
                case when g.skipped_at is not null then 'skipped' else 'open' end, g.skipped_at, g.actor, g.reason,
                false
           from trade_stream_gaps g where not exists (select from feed_state f where f.stream = g.stream)) g
        """

    static let listStatement = Statement(
        "feed_gaps_list",
        """
        select g.*, clock_timestamp() from \(gaps)
         where ($1::text is null or g.stream = $1) and (g.stream, g.first_seq) > (coalesce($2, ''), $3)
           and ($4 or g.state = 'open') and ($6::boolean is null or g.is_followed = $6)
         order by g.stream, g.first_seq limit $5
        """)

    /// Gaps by stream and place, behind one of them.
    ///
    /// - Parameter isFollowed: whether only those of engines, or none of theirs; nil for both.
    public static func list(
        _ stream: Identifier? = nil, isOpen: Bool = false, isFollowed: Bool? = nil,
        after: (stream: Identifier, first: Int64)? = nil, limit: Int = 100
    ) -> Request {
        Request(
            listStatement,
            [
                .text(stream?.text), .text(after?.stream.text), .int8(after?.first ?? 0), .bool(!isOpen),
                .int8(Int64(limit)), .bool(isFollowed),
            ])
    }

    static let findStatement = Statement(
        "feed_gaps_find",
        """
        select g.*, clock_timestamp() from \(gaps)
         where g.stream = $1 and g.first_seq <= $2 and g.last_seq >= $2 and g.state = 'open' limit 1
        """)

    /// The open gap that a number lies in.
    public static func find(_ stream: Identifier, containing sequence: Int64) -> Request {
        Request(findStatement, [.text(stream.text), .int8(sequence)])
    }

    public static func decode(_ rows: Rows) -> [FeedGap] {
        rows.indices.map { row in
            FeedGap(
                stream: Identifier(stored: rows.string(row, 0)), isFollowed: rows.bool(row, 8),
                records: rows.int64(row, 1)...rows.int64(row, 2), foundAt: rows.timestamp(row, 3),
                now: rows.timestamp(row, 9), state: FeedGap.State(rawValue: rows.string(row, 4))!,
                skippedAt: rows.optional(row, 5, rows.timestamp), actor: rows.optional(row, 6, rows.string),
                reason: rows.optional(row, 7, rows.string))
        }
    }

    static let lostStatement = Statement(
        "feed_gaps_lost",
        """
        select coalesce(sum(last_seq - first_seq + 1), 0)::bigint from feed_gaps
         where stream = $1 and skipped_at is not null and first_seq <= $2
        """)

    /// How many records of a stream were skipped, up to one of them.
    public static func skippedCount(_ stream: Identifier, upTo sequence: Int64) -> Request {
        Request(lostStatement, [.text(stream.text), .int8(sequence)])
    }

    static let skipStatement = Statement(
        "feed_gaps_skip",
        """
        with moved as (
            update feed_state set watermark = $3, hash = null, halted_for = null, advanced_at = clock_timestamp()
             where stream = $1 and watermark = $2 - 1 and halted_for is not null
               and exists (select from feed_gaps g where g.stream = $1 and g.first_seq = $2 and g.last_seq = $3
                              and g.skipped_at is null and g.resumed_at is null)
            returning stream)
        update feed_gaps g set skipped_at = clock_timestamp(), actor = $4, reason = $5
          from moved where g.stream = moved.stream and g.first_seq = $2
        """)

    /// Lets a halted stream go on behind a gap, and records who did it; false where the gap is not as it was any more.
    public static func skip(
        _ gap: FeedGap, actor: String, reason: String, on connection: PostgresConnection
    ) throws(DatabaseError) -> Bool {
        let (first, last) = (gap.records.lowerBound, gap.records.upperBound)
        return try connection.transaction { () throws(DatabaseError) in
            let skipped = try connection.query(
                skipStatement, .text(gap.stream.text), .int8(first), .int8(last), .text(actor), .text(reason))
            guard skipped.affected == 1 else { return false }
            try connection.query(OperatorActionStore.record(gap.skipping(actor: actor, reason: reason)))
            return true
        }
    }
}

extension FeedGap {
    /// What goes on record when somebody gives it up.
    func skipping(actor: String, reason: String) -> OperatorAction {
        OperatorAction(
            .skip, .feed(stream), actor: actor, reason: reason,
            detail: [("first", "\(records.lowerBound)"), ("last", "\(records.upperBound)")])
    }
}
