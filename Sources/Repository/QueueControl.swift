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
}

/// Table `queue_control`.
public enum QueueControlStore {
    static let readStatement = Statement(
        "queue_control_read",
        """
        select paused, revision, changed_at, actor, reason, exists (select from markets where halted)
          from queue_control
        """)

    public static var read: Request { Request(readStatement) }

    public static func decode(_ rows: Rows) -> QueueControl {
        QueueControl(
            isPaused: rows.bool(0, 0), revision: rows.int64(0, 1), changedAt: rows.timestamp(0, 2),
            actor: rows.optional(0, 3, rows.string), reason: rows.optional(0, 4, rows.string),
            hasHaltedMarkets: rows.bool(0, 5))
    }

    public static func read(_ connection: PostgresConnection) throws(DatabaseError) -> QueueControl {
        decode(try connection.pipeline([read])[0])
    }

    static let setStatement = Statement(
        "queue_control_set",
        """
        update queue_control
           set paused = $1, revision = revision + 1, changed_at = clock_timestamp(), actor = $2, reason = $3
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
                _ = try connection.pipeline([
                    OperatorActionStore.record(
                        OperatorAction(kind ?? (paused ? .pause : .resume), .queue, actor: actor, reason: reason))
                ])
            }
            return (try read(connection), isNew)
        }
    }
}
