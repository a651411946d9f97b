import TradeModel

/// What somebody who follows a stream may go by: that it is theirs, and where to go on.
public struct FeedLease: Hashable, Sendable {
    public let epoch: Int64
    public let sequence: Int64
    /// The hash chained up to there; nil where it is not known.
    public let hash: UInt64?
    public let engineEpoch: UInt64
}

/// A stream as it was settled, and who follows it.
public struct FeedState: Sendable {
    public let stream: Identifier
    public let watermark: Int64
    public let hash: UInt64?
    public let engineEpoch: UInt64
    /// The worker that has the lease, or is about to ask the feed again; nil when there is none.
    public let follower: Int64?
    public let advancedAt: Timestamp
    /// The newest record that the feed has told of, at least the watermark.
    public let newest: Int64
    /// When the feed last said anything, or was first asked in vain; nil where its followers' program does not say.
    public let heardAt: Timestamp?
    /// The time as the database has it.
    public let now: Timestamp
    /// Why it is not followed until an operator has looked.
    public let haltedFor: String?

    /// Whether anything of it was settled, or somebody follows it.
    public var isInUse: Bool { watermark > 0 || follower != nil }

    /// A feed that is there says something every second, of which is written down every few.
    private static let silenceMillisecondsMax: Int64 = 10_000

    /// For how many milliseconds nothing was heard of a feed that a worker asks; nil while it is heard.
    public var silenceMilliseconds: Int64? {
        guard follower != nil, let heardAt else { return nil }
        let silence = (now.microseconds - heardAt.microseconds) / 1_000
        return silence > Self.silenceMillisecondsMax ? silence : nil
    }
}

/// Table `feed_state`: how far each engine's output is settled, and by whom.
public enum FeedStateStore {
    static let addStatement = Statement(
        "feed_state_add", "insert into feed_state (stream) values ($1) on conflict do nothing")

    static let leaseStatement = Statement(
        "feed_state_lease",
        """
        update feed_state
           set lease_epoch = lease_epoch + 1, follower = $2,
               leased_until = clock_timestamp() + $3 * interval '1 millisecond',
               heard_at = coalesce(heard_at, clock_timestamp())
         where stream = $1 and halted_for is null
           and (follower is null or follower = $2 or leased_until <= clock_timestamp())
        returning lease_epoch, watermark, hash, engine_epoch
        """)

    /// Takes the stream for a worker, if nobody has it or whoever had it is silent.
    public static func lease(_ stream: Identifier, worker: Int64, milliseconds: Int) -> [Request] {
        [
            Request(addStatement, [.text(stream.text)]),
            Request(leaseStatement, [.text(stream.text), .int8(worker), .int8(Int64(milliseconds))]),
        ]
    }

    /// nil where somebody else has the stream, or nobody may.
    public static func decodeLease(_ answers: [Rows]) -> FeedLease? {
        let rows = answers[1]
        guard rows.count == 1 else { return nil }
        return FeedLease(
            epoch: rows.int64(0, 0), sequence: rows.int64(0, 1), hash: hash(rows, 0, 2),
            engineEpoch: UInt64(rows.int64(0, 3)))
    }

    static let advanceStatement = Statement(
        "feed_state_advance",
        """
        update feed_state
           set watermark = $3, hash = $4, engine_epoch = greatest(engine_epoch, $5),
               leased_until = clock_timestamp() + $6 * interval '1 millisecond',
               advanced_at = case when watermark < $3 then clock_timestamp() else advanced_at end,
               newest = case when engine_epoch < $5 then $7 else greatest(newest, $7) end,
               heard_at = greatest(heard_at, clock_timestamp() - $8 * interval '1 millisecond')
         where stream = $1 and lease_epoch = $2 and watermark <= $3 and halted_for is null
        """)

    /// Moves the watermark, or leaves it where it is, and keeps the lease. Affects no row once somebody else has it.
    ///
    /// - Parameters:
    ///   - hash: nil where it is not known, as behind records that were skipped.
    ///   - newest: the newest record that the feed has told of; another engine that leads may never have had it.
    ///   - silence: how long ago the feed last said anything; nil where it has not yet.
    public static func advance(
        _ stream: Identifier, _ lease: FeedLease, to sequence: Int64, hash: UInt64?, engineEpoch: UInt64,
        newest: Int64 = 0, silence: Duration? = nil, milliseconds: Int
    ) -> Request {
        Request(
            advanceStatement,
            [
                .text(stream.text), .int8(lease.epoch), .int8(sequence), .bytes(hash.map(bytes)),
                .int8(Int64(clamping: engineEpoch)), .int8(Int64(milliseconds)), .int8(newest),
                .int8(silence.map { Int64($0 / .milliseconds(1)) }),
            ])
    }

    static let giveUpStatement = Statement(
        "feed_state_give_up",
        "update feed_state set follower = null, leased_until = null where stream = $1 and lease_epoch = $2")

    /// Lets others follow at once, and follows no more.
    public static func giveUp(_ stream: Identifier, _ lease: FeedLease) -> Request {
        Request(giveUpStatement, [.text(stream.text), .int8(lease.epoch)])
    }

    static let releaseStatement = Statement(
        "feed_state_release",
        "update feed_state set follower = null, leased_until = null where stream = $1 and follower = $2")

    /// Lets others follow a stream at once, whose follower is known to have ended.
    public static func release(_ stream: Identifier, from follower: Int64) -> Request {
        Request(releaseStatement, [.text(stream.text), .int8(follower)])
    }

    static let pauseStatement = Statement(
        "feed_state_pause",
        "update feed_state set leased_until = clock_timestamp() where stream = $1 and lease_epoch = $2")

    /// Lets others follow at once, before we try again.
    public static func pause(_ stream: Identifier, _ lease: FeedLease) -> Request {
        Request(pauseStatement, [.text(stream.text), .int8(lease.epoch)])
    }

    static let haltStatement = Statement(
        "feed_state_halt",
        """
        update feed_state set halted_for = $3, follower = null, leased_until = null
         where stream = $1 and lease_epoch = $2 and halted_for is null
        """)

    /// Has nobody follow until an operator has looked.
    public static func halt(_ stream: Identifier, _ lease: FeedLease, because reason: String) -> Request {
        Request(haltStatement, [.text(stream.text), .int8(lease.epoch), .text(reason)])
    }

    static let resumeStatement = Statement(
        "feed_state_resume", "update feed_state set halted_for = null where stream = $1 and halted_for is not null")

    /// Lets a stream be followed again, and records who did it.
    public static func resume(
        _ state: FeedState, actor: String, reason: String, on connection: PostgresConnection
    ) throws(DatabaseError) {
        try connection.transaction { () throws(DatabaseError) in
            guard try connection.query(resumeStatement, .text(state.stream.text)).affected == 1 else { return }
            _ = try connection.pipeline([
                FeedGapStore.tryAgain(state.stream),
                OperatorActionStore.record(
                    OperatorAction(
                        .resume, .feed(state.stream), actor: actor, reason: reason,
                        detail: [("halted_for", state.haltedFor ?? "")])),
            ])
        }
    }

    /// Between two tries a worker lets others have the lease for some seconds.
    static let listStatement = Statement(
        "feed_state_list",
        """
        select stream, watermark, hash, engine_epoch,
               case when leased_until > clock_timestamp() - interval '10 seconds' then follower end,
               advanced_at, halted_for,
               greatest(newest, watermark), clock_timestamp(), heard_at
          from feed_state where $1::text is null or stream = $1 order by stream
        """)

    /// All streams, or one of them.
    public static func list(_ stream: Identifier? = nil) -> Request {
        Request(listStatement, [.text(stream?.text)])
    }

    public static func decode(_ rows: Rows) -> [FeedState] {
        rows.indices.map { row in
            FeedState(
                stream: Identifier(rows.string(row, 0))!, watermark: rows.int64(row, 1), hash: hash(rows, row, 2),
                engineEpoch: UInt64(rows.int64(row, 3)), follower: rows.optional(row, 4, rows.int64),
                advancedAt: rows.timestamp(row, 5), newest: rows.int64(row, 7),
                heardAt: rows.optional(row, 9, rows.timestamp), now: rows.timestamp(row, 8),
                haltedFor: rows.optional(row, 6, rows.string))
        }
    }

    private static func hash(_ rows: Rows, _ row: Int, _ column: Int) -> UInt64? {
        rows.optional(row, column, rows.byteArray)?.reduce(0) { $0 << 8 | UInt64($1) }
    }

    private static func bytes(_ hash: UInt64) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: hash >> (56 - 8 * $0)) }
    }
}
