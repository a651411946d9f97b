import TradeModel

/// Table `purged_letters`: what is left of letters that were cleared away.
public enum PurgedLetterStore {
    /// How far a purge has come.
    public struct Step: Sendable {
        /// How many letters it looked at, and how many of them are resolved.
        public let seen: Int64
        public let resolved: Int64
        fileprivate let changedAt: Timestamp?
        fileprivate let letter: Int64
    }

    private static let resolved = """
        with old as materialized (
            select l.letter_no, l.status, l.changed_at, l.stored, l.market, l.trade_id from dead_letters l
             where l.status <> 'open' and l.changed_at < $1
               and ($2 is null or (l.changed_at, l.letter_no) > ($2, $3))
             order by l.changed_at, l.letter_no limit $4),
        resolved as materialized (
            select o.* from old o
             where o.status = 'discarded'
                or o.stored and exists (select from trades t where t.market = o.market and t.trade_id = o.trade_id
                                                               and t.status = 'SETTLED'))
        """
    private static let newest = """
        (select changed_at from old order by changed_at desc, letter_no desc limit 1),
        (select letter_no from old order by changed_at desc, letter_no desc limit 1)
        """

    static let countStatement = Statement(
        "purged_letters_count",
        "\(resolved) select (select count(*) from old), (select count(*) from resolved), \(newest)")

    static let purgeStatement = Statement(
        "purged_letters_purge",
        """
        \(resolved),
        gone as (
            delete from dead_letters l using resolved r
             where l.letter_no = r.letter_no and l.status = r.status and l.changed_at = r.changed_at
            returning l.letter_no, l.fingerprint, l.market, l.trade_id, l.class, l.status, l.stored, l.version,
                      l.parked_at, l.stream, l.stream_seq),
        kept as (
            insert into purged_letters (letter_no, fingerprint, market, trade_id, class, status, stored, version,
                                        parked_at, stream, stream_seq, has_number, actor, reason, actions)
            select g.*, true, $5, $6,
                   (select coalesce(jsonb_agg(jsonb_build_object(
                               'at', a.at, 'action', a.action, 'actor', a.actor, 'message', a.message)
                               order by a.number), '[]')
                      from dead_letter_attempts a
                     where a.letter_no = g.letter_no and a.action in ('retried', 'edited', 'discarded'))
              from gone g)
        select (select count(*) from old), (select count(*) from gone), \(newest)
        """)

    private static func parameters(_ limit: Timestamp, _ step: Step?, _ count: Int) -> [Parameter] {
        [.timestamp(limit), .timestamp(step?.changedAt), .int8(step?.letter ?? 0), .int8(Int64(count))]
    }

    /// Looks at so many letters that have not changed since a time, and counts those that are resolved: discarded, or
    /// retried with their trade settled.
    public static func count(olderThan time: Timestamp, after step: Step?, limit: Int) -> Request {
        Request(countStatement, parameters(time, step, limit))
    }

    /// The same, and clears them away: one commit with the rows that stay of them.
    public static func purge(olderThan time: Timestamp, after step: Step?, limit: Int, actor: String, reason: String)
        -> Request
    {
        Request(purgeStatement, parameters(time, step, limit) + [.text(actor), .text(reason)])
    }

    public static func decode(_ rows: Rows) -> Step {
        Step(
            seen: rows.int64(0, 0), resolved: rows.int64(0, 1), changedAt: rows.optional(0, 2, rows.timestamp),
            letter: rows.optional(0, 3, rows.int64) ?? 0)
    }

    static let findStatement = Statement(
        "purged_letters_find",
        "select status::text, purged_at, actor, reason from purged_letters where letter_no = $1")

    public static func find(_ number: Int64) -> Request {
        Request(findStatement, [.int8(number)])
    }

    /// In words: when a letter was cleared away, by whom and why; nil when it was not.
    public static func decodeWords(_ rows: Rows) -> String? {
        guard rows.count > 0 else { return nil }
        return "was \(rows.string(0, 0)), and purged at \(rows.timestamp(0, 1)) by \(rows.string(0, 2)): "
            + rows.string(0, 3)
    }
}
