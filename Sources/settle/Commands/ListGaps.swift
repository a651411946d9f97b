import CommandKit
import Repository
import TradeModel

struct ListGaps: Command {
    static let info = CommandInfo(
        "gaps", summary: "List what engines' feeds no longer had when it was asked for, and how that ended.",
        discussion: """
            A stream is halted before an open gap. When the feed has its records again, 'settle feed resume' settles \
            them and the gap is closed; 'settle feed skip' gives them up.
            """,
        examples: [
            Example("settle feed gaps", ""), Example("settle feed gaps --stream main --open --json", "For a program."),
        ])

    @Option("--stream", "NAME", help: "Only this stream's.") var stream: Identifier?
    @Flag("--open", help: "Only those before which a stream is halted.") var isOpen: Bool
    @Option("--limit", "N", help: "How many at most.", default: 50) var limit: Int
    @Option("--after", "STREAM:SEQ", help: "Go on behind the page that ended with this.") var after: GapPlace?

    func validate() throws { try PageOptions.check(limit) }

    func run(_ context: Context) async throws {
        let database = try Database(context)
        defer { database.leave() }
        let found = FeedGapStore.decode(
            try database.connect().pipeline([
                FeedGapStore.list(stream, isOpen: isOpen, after: after.map { ($0.stream, $0.first) }, limit: limit + 1)
            ])[0])
        let rows = found.prefix(limit)
        try context.output.list(rows.map(\.json), empty: isOpen ? "No gap is open." : "There was no gap.") {
            var table = Table(
                "STREAM", Table.Column("FROM", .right), Table.Column("TO", .right), "FOUND", "STATE", "REASON")
            for gap in rows {
                table.add(
                    "\(gap.stream)", "\(gap.records.lowerBound)", "\(gap.records.upperBound)",
                    .init(gap.foundAt.inSeconds), .init(gap.words), .init(gap.reason ?? "-"))
            }
            return table
        }
        if found.count > rows.count, let last = rows.last {
            context.output.more(after: GapPlace(stream: last.stream, first: last.records.lowerBound).argumentText)
        }
        if let open = rows.first(where: { $0.state == .open }) { context.output.next(open.remedy) }
    }
}

/// A gap as it is named: the stream, and its first record.
struct GapPlace: ArgumentValue {
    let stream: Identifier
    let first: Int64

    init(stream: Identifier, first: Int64) {
        self.stream = stream
        self.first = first
    }

    init(argument: String) throws {
        guard let colon = argument.lastIndex(of: ":"), let stream = Identifier(String(argument[..<colon])),
            let first = Int64(argument[argument.index(after: colon)...])
        else { throw InvalidValue("expected a stream and a record such as main:1042") }
        self.init(stream: stream, first: first)
    }

    var argumentText: String { "\(stream.text):\(first)" }
    static var valueName: String { "STREAM:SEQ" }
}

extension FeedGap {
    var words: String {
        switch state {
        case .open, .retried, .closed: state.rawValue
        case .skipped: "skipped by \(actor ?? "?")"
        }
    }

    /// How a stream comes to go on behind it.
    var remedy: String {
        "settle feed skip \(records.lowerBound) --stream \(stream.text.shellQuoted) --reason '…'    (or bring its "
            + "records back, and settle feed resume \(stream.text.shellQuoted) --reason '…')"
    }

    var json: JSONValue {
        [
            "stream": .id(stream), "first": .count(records.lowerBound), "last": .count(records.upperBound),
            "records": .integer(records.count), "state": .string(state.rawValue), "found_at": .time(foundAt),
            "skipped_at": .time(skippedAt), "actor": .string(actor), "reason": .string(reason),
        ]
    }
}
