import TradeModel

public enum LetterStatus: String, Sendable, CaseIterable {
    case open, retried, discarded
}

/// What is to be parked.
public struct NewLetter: Sendable {
    /// The bytes whose hash says whether two letters are the same thing.
    public var content: [UInt8]
    public var rejection: Rejection
    public var attempts: Int
    public var isStored: Bool
    public var market: String?
    public var tradeID: String?
    public var buyer: String?
    public var seller: String?
    public var stream: String?
    public var sequence: Int64?
    public var source: String
    public var payload: [UInt8]

    public init(
        content: [UInt8], rejection: Rejection, attempts: Int, isStored: Bool,
        market: String? = nil, tradeID: String? = nil, buyer: String? = nil, seller: String? = nil,
        stream: String? = nil, sequence: Int64? = nil, source: String, payload: [UInt8]
    ) {
        self.content = content
        self.rejection = rejection
        self.attempts = attempts
        self.isStored = isStored
        self.market = market
        self.tradeID = tradeID
        self.buyer = buyer
        self.seller = seller
        self.stream = stream
        self.sequence = sequence
        self.source = source
        self.payload = payload
    }
}

/// A row of `dead_letters`.
public struct DeadLetter: Sendable {
    public let number: Int64
    public let failureClass: String
    public let message: String
    public let status: LetterStatus
    public let attempts: Int
    public let isStored: Bool
    public let market: String?
    public let tradeID: String?
    public let buyer: String?
    public let seller: String?
    public let source: String
    public let payload: [UInt8]
    public let parkedAt: Timestamp
    public let changedAt: Timestamp
    /// Where the trade stands now; nil when `trades` does not hold it.
    public let tradeStatus: TradeStatus?
}

/// One line of a letter's history.
public struct LetterEvent: Sendable {
    public let number: Int
    public let at: Timestamp
    public let action: String
    public let actor: String
    public let failureClass: String?
    public let message: String
}

/// Which letters are meant. All conditions that are given must hold.
public struct LetterFilter: Sendable {
    public var failureClass: FailureClass?
    public var market: MarketSymbol?
    public var account: Identifier?
    public var since: Timestamp?
    public var until: Timestamp?
    public var status: LetterStatus?

    public init(
        failureClass: FailureClass? = nil, market: MarketSymbol? = nil, account: Identifier? = nil,
        since: Timestamp? = nil, until: Timestamp? = nil, status: LetterStatus? = nil
    ) {
        self.failureClass = failureClass
        self.market = market
        self.account = account
        self.since = since
        self.until = until
        self.status = status
    }
}

/// Tables `dead_letters` and `dead_letter_attempts`.
public enum DeadLetterStore {
    /// A letter that an operator retried and that fails again is opened again, and so is one whose trade could not be
    /// stored before and is now, as FAILED; any other is parked only once.
    static let parkStatement = Statement(
        "dead_letters_park",
        """
        with parked as (
            insert into dead_letters as l (fingerprint, class, message, attempts, stored, market, trade_id, buyer_id,
                                           seller_id, stream, stream_seq, source, payload, batch_no)
            select sha256(f), c, m, a, s, market, trade_id, buyer_id, seller_id, stream, stream_seq, source, payload, $14
              from (select unnest($1) as f, unnest($2) as c, unnest($3) as m, unnest($4) as a, unnest($5) as s,
                           unnest($6) as market, unnest($7) as trade_id, unnest($8) as buyer_id,
                           unnest($9) as seller_id, unnest($10) as stream, unnest($11) as stream_seq,
                           unnest($12) as source, unnest($13) as payload) letters
             order by 1
            on conflict (fingerprint) do update
               set status = 'open', class = excluded.class, message = excluded.message,
                   attempts = l.attempts + excluded.attempts, stored = excluded.stored,
                   batch_no = excluded.batch_no, changed_at = now()
             where l.status = 'retried' or (excluded.stored and not l.stored)
            returning letter_no, class, message)
        insert into dead_letter_attempts (letter_no, number, action, actor, class, message)
        select p.letter_no,
               1 + (select coalesce(max(number), 0) from dead_letter_attempts a where a.letter_no = p.letter_no),
               'parked', $15, p.class, p.message
          from parked p
        """)

    public static func park(_ letters: [NewLetter], batch: BatchNumber, actor: String) -> Request {
        Request(
            parkStatement,
            [
                .byteArrays(letters) { $0.content },
                .texts(letters) { $0.rejection.failureClass.rawValue }, .texts(letters) { $0.rejection.message },
                .int4s(letters) { Int32($0.attempts) }, .bools(letters) { $0.isStored },
                .texts(letters) { $0.market }, .texts(letters) { $0.tradeID },
                .texts(letters) { $0.buyer }, .texts(letters) { $0.seller },
                .texts(letters) { $0.stream }, .int8s(letters) { $0.sequence },
                .texts(letters) { $0.source }, .byteArrays(letters) { $0.payload },
                .int8(batch), .text(actor),
            ])
    }

    // MARK: Reading

    private static let columns = """
        l.letter_no, l.class, l.message, l.status::text, l.attempts, l.stored, l.market, l.trade_id, l.buyer_id,
        l.seller_id, l.source, l.payload, l.parked_at, l.changed_at, t.status::text
        """
    private static let trade = """
        left join trades t on l.stored and t.market = l.market and t.trade_id = l.trade_id
        """
    private static let filter = """
        ($1 is null or l.class = $1) and ($2 is null or l.market = $2)
        and ($3 is null or l.buyer_id = $3 or l.seller_id = $3)
        and ($4 is null or l.parked_at >= $4) and ($5 is null or l.parked_at < $5)
        and ($6 is null or l.status = $6::letter_status)
        """

    private static func parameters(_ filter: LetterFilter) -> [Parameter] {
        [
            .text(filter.failureClass?.rawValue), .text(filter.market?.text), .text(filter.account?.text),
            .timestamp(filter.since), .timestamp(filter.until), .text(filter.status?.rawValue),
        ]
    }

    static let listStatement = Statement(
        "dead_letters_list",
        """
        select \(columns) from dead_letters l \(trade)
         where \(filter) and l.letter_no > $7 order by l.letter_no limit $8
        """)

    public static func list(_ filter: LetterFilter, after: Int64, limit: Int) -> Request {
        Request(listStatement, parameters(filter) + [.int8(after), .int8(Int64(limit))])
    }

    static let findStatement = Statement(
        "dead_letters_find", "select \(columns) from dead_letters l \(trade) where l.letter_no = $1")

    public static func find(_ number: Int64) -> Request {
        Request(findStatement, [.int8(number)])
    }

    public static func decode(_ rows: Rows) -> [DeadLetter] {
        rows.indices.map { row in
            DeadLetter(
                number: rows.int64(row, 0), failureClass: rows.string(row, 1), message: rows.string(row, 2),
                status: LetterStatus(rawValue: rows.string(row, 3))!, attempts: Int(rows.int32(row, 4)),
                isStored: rows.bool(row, 5), market: rows.optional(row, 6, rows.string),
                tradeID: rows.optional(row, 7, rows.string), buyer: rows.optional(row, 8, rows.string),
                seller: rows.optional(row, 9, rows.string), source: rows.string(row, 10),
                payload: rows.byteArray(row, 11), parkedAt: rows.timestamp(row, 12),
                changedAt: rows.timestamp(row, 13),
                tradeStatus: rows.optional(row, 14, rows.string).flatMap(TradeStatus.init))
        }
    }

    static let eventsStatement = Statement(
        "dead_letter_attempts_read",
        """
        select number, at, action, actor, class, message
          from dead_letter_attempts where letter_no = $1 order by number
        """)

    public static func events(of number: Int64) -> Request {
        Request(eventsStatement, [.int8(number)])
    }

    public static func decodeEvents(_ rows: Rows) -> [LetterEvent] {
        rows.indices.map { row in
            LetterEvent(
                number: Int(rows.int32(row, 0)), at: rows.timestamp(row, 1), action: rows.string(row, 2),
                actor: rows.string(row, 3), failureClass: rows.optional(row, 4, rows.string),
                message: rows.string(row, 5))
        }
    }

    static let openCountsStatement = Statement(
        "dead_letters_open_counts",
        "select class, count(*) from dead_letters where status = 'open' group by class order by class")

    /// How many letters are open, by class.
    public static var openCounts: Request { Request(openCountsStatement) }

    public static func decodeCounts(_ rows: Rows) -> [(failureClass: String, count: Int64)] {
        rows.indices.map { (rows.string($0, 0), rows.int64($0, 1)) }
    }

    // MARK: Retrying

    /// One statement and one commit: the trade waits again, and its letter says who wanted that.
    ///
    /// The trades are changed first, as everywhere, and locked in the order of their keys, so that two operators do not
    /// wait for each other in a ring. A letter whose trade is no longer FAILED is left alone.
    static let retryStatement = Statement(
        "dead_letters_retry",
        """
        with chosen as (
            select l.letter_no, l.market, l.trade_id from dead_letters l
             where l.letter_no = any ($1) and l.status = 'open' and l.stored),
        locked as materialized (
            select c.letter_no, t.market, t.trade_id, t.received_seq
              from chosen c join trades t on t.market = c.market and t.trade_id = c.trade_id
             where t.status = 'FAILED' order by t.market, t.trade_id for update of t),
        ordered as (
            select l.*, nextval('received_numbers') as place from (select * from locked order by received_seq) l),
        waiting as (
            update trades t
               set status = 'PENDING', claimed_by = null, not_before = null, batch_no = null, received_seq = o.place
              from ordered o
             where t.market = o.market and t.trade_id = o.trade_id and t.status = 'FAILED'
            returning o.letter_no),
        retried as (
            update dead_letters l set status = 'retried', changed_at = now()
              from waiting w where l.letter_no = w.letter_no and l.status = 'open' returning l.letter_no),
        recorded as (
            insert into dead_letter_attempts (letter_no, number, action, actor, message)
            select letter_no,
                   1 + (select coalesce(max(number), 0) from dead_letter_attempts a where a.letter_no = r.letter_no),
                   'retried', $2, $3
              from retried r)
        select letter_no from retried
        """)

    /// Returns the numbers of the letters that were retried.
    public static func retry(_ letters: [Int64], actor: String, reason: String) -> Request {
        Request(retryStatement, [.int8s(letters) { $0 }, .text(actor), .text(reason)])
    }

    static let recordRetryStatement = Statement(
        "dead_letters_record_retry",
        """
        with retried as (
            update dead_letters set status = 'retried', stored = true, changed_at = now()
             where letter_no = $1 and status = 'open' returning letter_no)
        insert into dead_letter_attempts (letter_no, number, action, actor, message)
        select letter_no,
               1 + (select coalesce(max(number), 0) from dead_letter_attempts a where a.letter_no = r.letter_no),
               'retried', $2, $3
          from retried r
        """)

    /// For a letter whose trade was not stored before and is now: belongs in the transaction that stores it.
    public static func recordRetry(_ letter: Int64, actor: String, reason: String) -> Request {
        Request(recordRetryStatement, [.int8(letter), .text(actor), .text(reason)])
    }

    static let recordRefusalStatement = Statement(
        "dead_letters_record_refusal",
        """
        with refused as (
            update dead_letters set class = $2, message = $3, attempts = attempts + 1, changed_at = now()
             where letter_no = $1 and status = 'open' returning letter_no)
        insert into dead_letter_attempts (letter_no, number, action, actor, class, message)
        select letter_no,
               1 + (select coalesce(max(number), 0) from dead_letter_attempts a where a.letter_no = r.letter_no),
               'parked', $4, $2, $3
          from refused r
        """)

    /// A retry that could not even begin: the letter stays open with the new reason.
    public static func recordRefusal(_ letter: Int64, _ rejection: Rejection, actor: String) -> Request {
        Request(
            recordRefusalStatement,
            [.int8(letter), .text(rejection.failureClass.rawValue), .text(rejection.message), .text(actor)])
    }
}
