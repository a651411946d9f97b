import TradeModel

/// A place in the order in which letters are retried.
public struct LinePlace: Hashable, Sendable {
    public var place: Int64
    public var letter: Int64

    public init(place: Int64, letter: Int64) {
        self.place = place
        self.letter = letter
    }

    /// Before all letters.
    public static let start = LinePlace(place: -1, letter: 0)
}

extension DeadLetter {
    public var linePlace: LinePlace { LinePlace(place: place, letter: number) }
}

extension DeadLetterStore {
    // MARK: In line

    static let nowStatement = Statement("dead_letters_now", "select clock_timestamp()")

    /// The time as the database has it. What fails again after it is another matter.
    public static var now: Request { Request(nowStatement) }

    /// The next letters in the order in which their trades came, of those not changed since a time, with small
    /// payloads.
    public static func inLine(
        _ filter: LetterFilter, after: LinePlace, unchangedSince time: Timestamp, limit: Int
    ) -> Request {
        let selection = filter.selection(
            and: "(l.received_seq, l.letter_no) > ($7, $8) and l.changed_at <= $9",
            order: "l.received_seq, l.letter_no", limit: "$10")
        return Request(
            Statement(
                "dead_letters_in_line\(filter.shape)",
                """
                select \(columns),
                       case when octet_length(coalesce(v.payload, l.payload)) <= \(payloadBytesInPage)
                            then coalesce(v.payload, l.payload) end
                  from (\(selection)) l \(joins)
                  left join dead_letter_versions v on v.letter_no = l.letter_no and v.version = l.version
                 order by l.received_seq, l.letter_no
                """),
            filter.parameters + [.int8(after.place), .int8(after.letter), .timestamp(time), .int8(Int64(limit))])
    }

    static let standingsStatement = Statement(
        "dead_letters_standings",
        """
        select l.letter_no, l.status::text, t.status::text
          from (select unnest($1) as letter_no) wanted join dead_letters l on l.letter_no = wanted.letter_no
          left join trades t on l.stored and t.market = l.market and t.trade_id = l.trade_id
        """)

    /// Where letters and their trades stand.
    public static func standings(of letters: [Int64]) -> Request {
        Request(standingsStatement, [.int8s(letters) { $0 }])
    }

    public static func decodeStandings(_ rows: Rows) -> [(number: Int64, status: LetterStatus, trade: TradeStatus?)] {
        rows.indices.map { row in
            (
                rows.int64(row, 0), LetterStatus(rawValue: rows.string(row, 1))!,
                rows.optional(row, 2, rows.string).flatMap(TradeStatus.init)
            )
        }
    }

    // MARK: Retrying

    /// What follows the choice of letters, for all that are retried as they are. The trades are locked first, then the
    /// letters, as everywhere; whoever edited or discarded a letter meanwhile has come first, and it is left alone.
    /// What has a time of settling was settled, whatever its row says now.
    ///
    /// - Parameter wait: how to lock; empty to wait for whoever has a row.
    private static func retryOfChosen(_ status: String, wait: String = "") -> String {
        """
        failed as materialized (
            select c.letter_no, t.market, t.trade_id, t.received_seq
              from chosen c join trades t on t.market = c.market and t.trade_id = c.trade_id
             where t.status = 'FAILED' and t.settled_at is null
             order by t.market, t.trade_id for update of t \(wait)),
        locked as materialized (
            select f.* from failed f join dead_letters l on l.letter_no = f.letter_no
             where l.status::text = \(status) and l.version = 1 order by f.market, f.trade_id for update of l \(wait)),
        ordered as (
            select l.*, nextval('received_numbers') as place from (select * from locked order by received_seq) l),
        waiting as (
            update trades t
               set status = 'PENDING', claimed_by = null, not_before = null, batch_no = null, received_seq = o.place
              from ordered o
             where t.market = o.market and t.trade_id = o.trade_id and t.status = 'FAILED'
            returning o.letter_no, o.place)
        """
    }

    /// One statement and one commit: the trade waits again, and its letter says who wanted that.
    ///
    /// The trades are locked in the order of their keys, so that two operators do not wait for each other in a ring. A
    /// letter whose trade is no longer FAILED is left alone, and so is an edited one.
    static let retryStatement = Statement(
        "dead_letters_retry",
        """
        with chosen as (
            select l.letter_no, l.market, l.trade_id from dead_letters l
             where l.letter_no = any ($1) and l.status::text = $4 and l.stored and l.version = 1),
        \(retryOfChosen("$4")),
        retried as (
            update dead_letters l set status = 'retried', received_seq = w.place, changed_at = now()
              from waiting w where l.letter_no = w.letter_no returning l.letter_no),
        recorded as (
            \(recorded("retried", of: "retried", by: "$2", saying: "$3")))
        select letter_no from retried
        """)

    /// Returns the numbers of the letters that were retried.
    public static func retry(
        _ letters: [Int64], from status: LetterStatus = .open, actor: String, reason: String
    ) -> Request {
        Request(retryStatement, [.int8s(letters) { $0 }, .text(actor), .text(reason), .text(status.rawValue)])
    }

    /// The row takes what the newest version says in the statement that lets it wait again.
    static let retryEditedStatement = Statement(
        "dead_letters_retry_edited",
        """
        with chosen as (
            select l.letter_no, c.*
              from dead_letters l, (select \(TradeStore.contentValues)) c (\(TradeStore.contentColumns))
             where l.letter_no = $15 and l.status::text = $18 and l.stored and l.version = $19
               and l.market = c.market and l.trade_id = c.trade_id),
        failed as materialized (
            select c.* from chosen c join trades t on t.market = c.market and t.trade_id = c.trade_id
             where t.status = 'FAILED' and t.settled_at is null for update of t),
        locked as materialized (
            select f.* from failed f join dead_letters l on l.letter_no = f.letter_no
             where l.status::text = $18 and l.version = $19 for update of l),
        waiting as (
            update trades t
               set status = 'PENDING', claimed_by = null, not_before = null, batch_no = null,
                   received_seq = nextval('received_numbers'), price = c.price, quantity = c.quantity,
                   buyer_id = c.buyer_id, seller_id = c.seller_id, buyer_fee = c.buyer_fee, seller_fee = c.seller_fee,
                   buy_order_id = c.buy_order_id, sell_order_id = c.sell_order_id, taker = c.taker,
                   executed_at = c.executed_at, stream = c.stream, stream_seq = c.stream_seq
              from locked c
             where t.market = c.market and t.trade_id = c.trade_id and t.status = 'FAILED'
            returning c.letter_no, t.received_seq as place),
        retried as (
            update dead_letters l set status = 'retried', received_seq = w.place, changed_at = now()
              from waiting w where l.letter_no = w.letter_no returning l.letter_no),
        recorded as (
            \(recorded("retried", of: "retried", by: "$16", saying: "$17")))
        select letter_no from retried
        """)

    /// Like ``retry(_:from:actor:reason:)``, for one letter whose trade was edited to what is given here.
    public static func retryEdited(
        _ letter: Int64, version: Int, as trade: Trade, from status: LetterStatus, actor: String, reason: String
    ) -> Request {
        Request(
            retryEditedStatement,
            TradeStore.content([trade]) + [
                .int8(letter), .text(actor), .text(reason), .text(status.rawValue), .int4(Int32(version)),
            ])
    }

    static let recordRetryStatement = Statement(
        "dead_letters_record_retry",
        """
        with retried as (
            update dead_letters l set status = 'retried', stored = true, changed_at = now(),
                   received_seq = \(placeOfRow)
             where letter_no = $1 and status::text = $4 and version = $5 and not stored returning letter_no)
        \(recorded("retried", of: "retried", by: "$2", saying: "$3"))
        """)

    /// What became of the retry of a letter whose trade was never stored.
    public enum Storing: Sendable {
        case waits
        /// The letter is no longer as it was read.
        case leftAlone
        /// A trade of that id is there, with other content or parked under a letter of its own.
        case taken(RecordedTrade?)
    }

    /// Stores the trade of a letter that had no row, and says in the letter who wanted that: both or neither.
    public static func retryUnstored(
        _ letter: DeadLetter, as trade: Trade, actor: String, reason: String, on connection: PostgresConnection
    ) throws(DatabaseError) -> Storing {
        defer { connection.rollBack() }
        try connection.query(.begin)
        let isNew = try connection.query(TradeStore.accept([trade])).count == 1
        let existing = TradeStore.decode(try connection.query(TradeStore.read([trade.key]))).first
        guard isNew || existing?.status != .failed && existing?.trade?.hasSameContent(as: trade) == true else {
            return .taken(existing)
        }
        let record = Request(
            recordRetryStatement,
            [
                .int8(letter.number), .text(actor), .text(reason), .text(letter.status.rawValue),
                .int4(Int32(letter.version)),
            ])
        guard try connection.query(record).affected == 1 else { return .leftAlone }
        try connection.commit()
        return .waits
    }

    static let recordRefusalStatement = Statement(
        "dead_letters_record_refusal",
        """
        with refused as (
            update dead_letters
               set status = 'open', class = $2, message = $3, attempts = attempts + 1, changed_at = now(),
                   short_account = null, short_asset = null, short_needed = null, short_available = null,
                   short_held = null, short_missing = null
             where letter_no = $1 and status::text = $5 and version = $6 and attempts = $7 returning letter_no)
        \(recorded("refused", of: "refused", by: "$4", failureClass: "$2", saying: "$3"))
        """)

    /// A retry that could not even begin: the letter is open, with the new reason. Nothing, where another retry came to
    /// the same meanwhile.
    public static func recordRefusal(_ letter: DeadLetter, _ rejection: Rejection, actor: String) -> Request {
        Request(
            recordRefusalStatement,
            [
                .int8(letter.number), .text(rejection.failureClass.rawValue), .text(rejection.message), .text(actor),
                .text(letter.status.rawValue), .int4(Int32(letter.version)), .int4(Int32(letter.attempts)),
            ])
    }

    // MARK: Without an operator

    static let leadStatement = Statement(
        "dead_letters_lead", "select pg_try_advisory_lock(\(AdvisoryLock.letterRetry), 1)")

    /// Whether this connection is the one that retries by itself, for as long as it lives.
    public static var lead: Request { Request(leadStatement) }

    private static let numberOfRetry = "'retry ' || auto_retries || ' of ' || $2"

    static let retryDueStatement = Statement(
        "dead_letters_retry_due",
        """
        with chosen as (
            select l.letter_no, l.market, l.trade_id
              from unnest($1) wanted (class), lateral (
                   select d.letter_no, d.market, d.trade_id, d.auto_due_at, d.received_seq from dead_letters d
                    where d.status = 'open' and d.stored and d.class = wanted.class
                      and d.auto_due_at <= clock_timestamp() and d.version = 1 and d.auto_retries < $2
                    order by d.auto_due_at, d.received_seq limit $3) l
             order by l.auto_due_at, l.received_seq limit $3),
        \(retryOfChosen("'open'", wait: "skip locked")),
        retried as (
            update dead_letters l
               set status = 'retried', received_seq = w.place, changed_at = now(), auto_retries = l.auto_retries + 1,
                   auto_due_at = case when l.auto_retries + 1 >= $2 then 'infinity'
                                 else clock_timestamp() + least($5, $4 * 2::numeric ^ least(l.auto_retries, 30))
                                      * interval '1 second' end
              from waiting w where l.letter_no = w.letter_no
            returning l.letter_no, l.auto_retries, l.class),
        recorded as (
            \(recorded("retried", of: "retried", by: "'automatic'", failureClass: "class", saying: numberOfRetry)))
        select letter_no from retried
        """)

    /// Retries those whose time has come, no more than so many, and returns their numbers.
    ///
    /// What somebody has at this moment is left to the next round: the connection that asks has other duties.
    /// After each retry a letter is left alone for twice as long as before, and for good after the last.
    public static func retryDue(
        _ classes: [FailureClass], attemptsMax: Int, countMax: Int, backoffSeconds: Int, backoffSecondsMax: Int
    ) -> Request {
        Request(
            retryDueStatement,
            [
                .texts(classes) { $0.rawValue }, .int4(Int32(attemptsMax)), .int8(Int64(countMax)),
                .int8(Int64(backoffSeconds)), .int8(Int64(backoffSecondsMax)),
            ])
    }
}
