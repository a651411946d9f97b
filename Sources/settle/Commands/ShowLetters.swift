import CommandKit
import Repository
import TradeModel

struct ListLetters: Command {
    static let info = CommandInfo(
        "list", summary: "List dead letters, oldest first; the open ones unless --status says otherwise.",
        examples: [
            Example("settle dlq list", "What waits for an operator."),
            Example("settle dlq list --class insufficient_funds --account 1001", "One account's, for want of money."),
        ])

    @OptionGroup("Filters") var filter: LetterFilterOptions
    @Option("--status", help: "Those that are open, retried or discarded.", default: .open) var status: LetterStatus
    @Option("--limit", "N", help: "How many at most.", default: 50) var limit: Int
    @Option("--after", "ID", help: "Go on behind this letter.", default: 0) var after: Int64

    func validate() throws {
        guard (1...100_000).contains(limit) else { throw UsageError("'--limit' is from 1 to 100000, not \(limit)") }
    }

    func run(_ context: Context) async throws {
        let database = try Database(context)
        defer { database.leave() }
        let found = DeadLetterStore.decode(
            try database.connect().pipeline([
                DeadLetterStore.list(filter.filter(status: status), after: after, limit: limit + 1)
            ])[0])
        let page = found.prefix(limit)
        try context.output.list(page.map(\.json), empty: "No such dead letters.") {
            var table = Table(Table.Column("ID", .right), "TRADE", "CLASS", "PARKED", "REASON")
            for letter in page {
                table.add(
                    "\(letter.number)", "\(letter.name)", "\(letter.failureClass)", "\(letter.parkedAt)",
                    "\(letter.message)")
            }
            return table
        }
        if found.count > limit, let last = page.last { context.output.more(after: "\(last.number)") }
    }
}

struct ShowLetter: Command {
    static let info = CommandInfo(
        "show", summary: "Show one dead letter: what was received, why it was parked, and what happened since.",
        examples: [Example("settle dlq show 1", "")])

    @Argument("ID", help: "The letter's number, as 'settle dlq list' shows it.") var number: Int64

    func run(_ context: Context) async throws {
        let database = try Database(context)
        defer { database.leave() }
        let connection = try database.connect()
        guard let letter = DeadLetterStore.decode(try connection.pipeline([DeadLetterStore.find(number)])[0]).first
        else { throw CommandFailure("there is no dead letter \(number)", exit: .notFound) }
        let events = DeadLetterStore.decodeEvents(
            try connection.pipeline([DeadLetterStore.events(of: number)])[0])

        guard case .object(var pairs) = letter.json else { return }
        pairs.append(("payload", letter.payloadJSON))
        pairs.append(("payload_encoding", .string(letter.payloadIsText ? "utf-8" : "hex")))
        pairs.append(("history", .array(events.map(\.json))))
        let output = context.output
        try output.show(.object(pairs)) {
            try output.line("dead letter \(letter.number), \(letter.status.rawValue): \(letter.name.printable)")
            try output.line("class    \(letter.failureClass)")
            try output.line("why      \(letter.message.printable)")
            try output.line("from     \(letter.source.printable), parked at \(letter.parkedAt)")
            if let status = letter.tradeStatus { try output.line("trade    \(status.rawValue)") }
            try output.line("payload  \(letter.payloadText.printable)")
            try output.line("history")
            for event in events {
                try output.line(
                    "  \(event.at)  \(event.action) by \(event.actor.printable): \(event.message.printable)")
            }
        }
    }
}

extension DeadLetter {
    /// Whether what was received is text; otherwise it is shown as hexadecimal digits.
    fileprivate var payloadIsText: Bool { String(validating: payload, as: UTF8.self) != nil }

    fileprivate var payloadText: String {
        String(validating: payload, as: UTF8.self)
            ?? payload.map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16) }.joined()
    }

    fileprivate var payloadJSON: JSONValue { .string(payloadText) }
}

extension LetterEvent {
    fileprivate var json: JSONValue {
        [
            "number": .integer(number), "at": .time(at), "action": .string(action), "actor": .string(actor),
            "class": .string(failureClass), "message": .string(message),
        ]
    }
}
