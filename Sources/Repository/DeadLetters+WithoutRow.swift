/// A letter that holds what is to be settled, and whose trade took no row.
public struct LetterWithoutRow: Sendable {
    public let number: Int64
    public let status: LetterStatus
    /// The newest of its versions; what was received is version 1.
    public let version: Int

    /// Whether an operator has decided that what was received is not to be settled as it is.
    public var isDecided: Bool { status == .discarded || version > 1 }
}

/// Letters whose trades took no row: what was invalid or a conflict, what came before its market was added, and what no
/// row could be written of.
///
/// With a row, the trade's id would be taken, and what arrives again would be known by that. Without one it is known by
/// the letter's fingerprint alone. Whether a market has such letters is asked when it is read, and at the end of each
/// batch whether operators have decided any since; few markets have any.
extension DeadLetterStore {
    /// Whether there is any that an operator has decided, for a statement that calls the market's symbol so.
    static func isAnyDecidedWithoutRow(inMarket symbol: String) -> String {
        ["dead_letters", "purged_letters"].map { table in
            """
            exists (select from \(table) l where l.market = \(symbol) and not l.stored and l.class <> 'undecodable'
                                              and (l.status = 'discarded' or l.version > 1))
            """
        }.joined(separator: " or ")
    }

    /// The same, or any that is open and may settle when it comes again.
    ///
    /// What was invalid or a conflict is so again, nearly always; to ask for it with each batch would cost more than
    /// that its letter stays open where it is not.
    static func isAnyWithoutRow(inMarket symbol: String) -> String {
        """
        exists (select from dead_letters l where l.market = \(symbol) and not l.stored
                                             and l.class not in ('undecodable', 'invalid', 'conflict'))
            or \(isAnyDecidedWithoutRow(inMarket: symbol))
        """
    }

    /// The place in line of the row that a letter `l` without one has now; its own while there is none.
    static let placeOfRow = """
        coalesce((select t.received_seq from trades t
                   where t.market = l.market and t.trade_id = l.trade_id), l.received_seq)
        """

    static let withoutRowStatement = Statement(
        "dead_letters_without_row",
        """
        select a.place, l.letter_no, l.status::text, l.version
          from unnest($1) with ordinality a (content, place) join dead_letters l on l.fingerprint = sha256(a.content)
         where not l.stored
        union all
        select a.place, l.letter_no, l.status::text, l.version
          from unnest($1) with ordinality a (content, place) join purged_letters l on l.fingerprint = sha256(a.content)
         where not l.stored
        """)

    /// The letters that say the same as what has arrived, those included that were purged.
    public static func withoutRow(_ contents: [[UInt8]]) -> Request {
        Request(withoutRowStatement, [.byteArrays(contents) { $0 }])
    }

    /// The letters, each with the place of what says the same among what was asked for.
    public static func decodeWithoutRow(_ rows: Rows) -> [(place: Int, letter: LetterWithoutRow)] {
        rows.indices.map { row in
            (
                Int(rows.int64(row, 0)) - 1,
                LetterWithoutRow(
                    number: rows.int64(row, 1), status: LetterStatus(rawValue: rows.string(row, 2))!,
                    version: Int(rows.int32(row, 3)))
            )
        }
    }

    static let resolveStatement = Statement(
        "dead_letters_resolve",
        """
        with resolved as (
            update dead_letters l
               set status = 'retried', stored = true, changed_at = now(),
                   received_seq = \(placeOfRow)
             where l.letter_no = any ($1) and l.status::text = 'open' and l.version = 1 and not l.stored
            returning l.letter_no)
        \(recorded("settled", of: "resolved", by: "$2", worker: "$3", saying: "'settled when it came again'"))
        """)

    /// Says of open letters that what they hold has settled by coming again; a letter that is no longer so is not
    /// counted, and the caller rolls back.
    public static func resolve(_ letters: some Collection<Int64>, worker: Int64?, actor: String) -> Request {
        Request(resolveStatement, [.int8s(letters.sorted()) { $0 }, .text(actor), .int8(worker)])
    }
}
