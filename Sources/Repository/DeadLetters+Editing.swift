import TradeModel

extension DeadLetterStore {
    /// Adds a line to the history of each letter that a statement has under a name.
    static func recorded(
        _ action: String, of letters: String, by actor: String, worker: String = "null::bigint",
        failureClass: String = "null::text", saying message: String
    ) -> String {
        """
        insert into dead_letter_attempts (letter_no, number, action, actor, worker_no, class, message)
        select r.letter_no,
               1 + (select coalesce(max(number), 0) from dead_letter_attempts a where a.letter_no = r.letter_no),
               '\(action)', \(actor), \(worker), \(failureClass), \(message)
          from \(letters) r
        """
    }

    static let editStatement = Statement(
        "dead_letters_edit",
        """
        with edited as (
            update dead_letters
               set version = version + 1, market = $4, trade_id = $5, buyer_id = $6, seller_id = $7, changed_at = now()
             where letter_no = $1 and status = 'open' and version = $2 returning letter_no, version),
        kept as (
            insert into dead_letter_versions (letter_no, version, payload, actor, reason)
            select letter_no, version, $3, $8, $9 from edited),
        recorded as (
            \(recorded("edited", of: "edited", by: "$8", saying: "$10")))
        select version from edited
        """)

    /// Adds a version to an open letter; returns no row when the letter is not as it was read.
    ///
    /// - Parameter change: what the history says of it.
    public static func edit(
        _ letter: DeadLetter, to trade: Trade, payload: [UInt8], actor: String, reason: String, change: String
    ) -> Request {
        Request(
            editStatement,
            [
                .int8(letter.number), .int4(Int32(letter.version)), .bytes(payload), .text(trade.market.text),
                .text(trade.id.text), .text(trade.buyer.text), .text(trade.seller.text), .text(actor), .text(reason),
                .text(change),
            ])
    }

    /// The rows of stored trades are locked first, as a retry does: of the two, one comes first and the other finds
    /// that it has.
    static let discardStatement = Statement(
        "dead_letters_discard",
        """
        with locked as materialized (
            select t.market, t.trade_id
              from dead_letters l join trades t on t.market = l.market and t.trade_id = l.trade_id
             where l.letter_no = any ($1) and l.status = 'open' and l.stored and t.status = 'FAILED'
             order by t.market, t.trade_id for update of t),
        chosen as materialized (
            select letter_no from dead_letters
             where letter_no = any ($1) and status = 'open' and (select count(*) from locked) >= 0
             order by letter_no for update),
        discarded as (
            update dead_letters l set status = 'discarded', changed_at = now()
              from chosen c where l.letter_no = c.letter_no and l.status = 'open' returning l.letter_no),
        recorded as (
            \(recorded("discarded", of: "discarded", by: "$2", saying: "$3")))
        select letter_no from discarded
        """)

    /// Gives up open letters; returns the numbers of those that it did.
    public static func discard(_ letters: [Int64], actor: String, reason: String) -> Request {
        Request(discardStatement, [.int8s(letters) { $0 }, .text(actor), .text(reason)])
    }
}
