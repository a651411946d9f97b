import TradeModel

/// Whether the workers of a database settle, and who said so.
public struct QueueControl: Sendable, Equatable {
    public let isPaused: Bool
    /// Raised by each change; workers say by it what they have seen.
    public let revision: Int64
    public let changedAt: Timestamp
    /// nil where nobody has ever paused the queue.
    public let actor: String?
    public let reason: String?
    /// Whether any market is halted: its trades are not to be claimed.
    public let hasHaltedMarkets: Bool
    /// Whether the database itself lets no trade settle: no worker holds any, or whoever does is silent.
    public let isSealed: Bool

    init(
        isPaused: Bool, revision: Int64, changedAt: Timestamp, actor: String?, reason: String?, hasHaltedMarkets: Bool,
        isSealed: Bool
    ) {
        self.isPaused = isPaused
        self.revision = revision
        self.changedAt = changedAt
        self.actor = actor
        self.reason = reason
        self.hasHaltedMarkets = hasHaltedMarkets
        self.isSealed = isSealed
    }
}

/// Table `queue_control`.
public enum QueueControlStore {
    static let readStatement = Statement(
        "queue_control_read",
        """
        select paused, revision, changed_at, actor, reason, exists (select from markets where halted), sealed
          from queue_control
        """)

    public static var read: Request { Request(readStatement) }

    public static func decode(_ rows: Rows) -> QueueControl {
        QueueControl(
            isPaused: rows.bool(0, 0), revision: rows.int64(0, 1), changedAt: rows.timestamp(0, 2),
            actor: rows.optional(0, 3, rows.string), reason: rows.optional(0, 4, rows.string),
            hasHaltedMarkets: rows.bool(0, 5), isSealed: rows.bool(0, 6))
    }

    public static func read(_ connection: PostgresConnection) throws(DatabaseError) -> QueueControl {
        decode(try connection.query(read))
    }

    static let setStatement = Statement(
        "queue_control_set",
        """
        update queue_control
           set paused = $1, sealed = false, revision = revision + 1, changed_at = clock_timestamp(), actor = $2,
               reason = $3
         where paused <> $1
        """)

    /// Pauses the queue or lets it go on, and records who did it.
    ///
    /// - Parameter kind: `pause`, `drain` or `resume`, as it is recorded.
    /// - Returns: how the queue stands now, and whether that is new.
    @discardableResult
    public static func set(
        paused: Bool, as kind: OperatorAction.Kind? = nil, actor: String, reason: String,
        on connection: PostgresConnection
    ) throws(DatabaseError) -> (control: QueueControl, isNew: Bool) {
        try connection.transaction { () throws(DatabaseError) in
            let isNew =
                try connection.query(setStatement, .bool(paused), .text(actor), .text(reason)).affected == 1
            if isNew {
                try connection.query(
                    OperatorActionStore.record(
                        OperatorAction(kind ?? (paused ? .pause : .resume), .queue, actor: actor, reason: reason)))
            }
            return (try read(connection), isNew)
        }
    }

    static let sealStatement = Statement(
        "queue_control_seal",
        """
        update queue_control set sealed = true
         where paused and not sealed and revision = $1
           and pg_try_advisory_xact_lock(\(AdvisoryLock.market), \(AdvisoryLock.allMarkets))
        """)

    /// Lets no trade settle any more until the queue goes on; false while a batch is being written, or when the queue
    /// was changed meanwhile.
    ///
    /// A batch that settles trades holds the lock from its beginning, and asks at its end whether the queue is sealed.
    /// So one that began before is waited for, and a later one stores its trades, to wait as PENDING.
    public static func seal(
        _ control: QueueControl, on connection: PostgresConnection
    ) throws(DatabaseError) -> Bool {
        try connection.query(sealStatement, .int8(control.revision)).affected == 1
    }

    static let settlingStatement = Statement(
        "queue_control_settling",
        """
        select pid from pg_locks
         where locktype = 'advisory' and classid = \(AdvisoryLock.market) and objid = \(AdvisoryLock.allMarkets)
           and objsubid = 2 and granted
           and database = (select oid from pg_database where datname = current_database())
         order by pid
        """)

    /// The server's processes that are just settling trades.
    public static func settling(on connection: PostgresConnection) throws(DatabaseError) -> [Int32] {
        let rows = try connection.query(settlingStatement)
        return rows.indices.map { rows.int32($0, 0) }
    }
}
