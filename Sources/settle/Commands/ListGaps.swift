import CommandKit
import Repository
import TradeModel

struct ListGaps: Command {
    static let info = CommandInfo(
        "gaps", summary: "List gaps in streams, and what became of them.",
        discussion: """
            Of an engine that is followed: records that its feed no longer had. The stream is halted before them; when \
            the feed has them again, 'settle feed resume' settles them and the gap is closed. Of other engines: numbers \
            that no trade has come with; WAITING says how many of them came and wait to be settled. What comes late \
            closes its gap by itself. 'settle feed skip' gives a gap up.
            """,
        examples: [
            Example("settle feed gaps", ""), Example("settle feed gaps --stream main --open --json", "For a program."),
        ])

    @Option("--stream", "NAME", help: "Only this stream's.") var stream: Identifier?
    @Flag("--open", help: "Only those that are neither closed nor given up.") var isOpen: Bool
    @Option("--limit", "N", help: "How many at most.", default: 50) var limit: Int
    @Option("--after", "STREAM:SEQ", help: "Go on behind the page that ended with this.") var after: GapPlace?

    func validate() throws { try PageOptions.check(limit) }

    func run(_ context: Context) async throws {
        let database = try Database(context)
        defer { database.leave() }
        let connection = try database.connect()
        let found = FeedGapStore.decode(
            try connection.query(
                FeedGapStore.list(stream, isOpen: isOpen, after: after.map { ($0.stream, $0.first) }, limit: limit + 1))
        )
        let rows = found.prefix(limit)
        let waiting = try waiting(in: rows.filter { !$0.isFollowed && $0.state == .open }, connection)
        try context.output.list(
            zip(rows, rows.map { waiting[$0.place] }).map { gap, waiting in gap.json(waiting: waiting) },
            empty: isOpen ? "No gap is open." : "There was no gap."
        ) {
            var table = Table(
                "STREAM", Table.Column("FROM", .right), Table.Column("TO", .right), Table.Column("WAITING", .right),
                "FOUND", "STATE", "REASON")
            for gap in rows {
                table.add(
                    "\(gap.stream)", "\(gap.records.lowerBound)", "\(gap.records.upperBound)",
                    .init(waiting[gap.place].map { "\($0)" } ?? "-"), .init(gap.foundAt.inSeconds), .init(gap.words),
                    .init(gap.reason ?? "-"))
            }
            return table
        }
        if found.count > rows.count, let last = rows.last {
            context.output.more(after: last.place.argumentText)
        }
        if let open = rows.first(where: { $0.state == .open }) { context.output.next(open.remedy) }
    }

    /// How many trades of each gap have come and wait, as far as those that wait longest tell.
    private func waiting(
        in gaps: [FeedGap], _ connection: PostgresConnection
    ) throws -> [GapPlace: Int] {
        guard !gaps.isEmpty else { return [:] }
        let trades = TradeStreamStore.decodeWaiting(
            try connection.query(TradeStreamStore.waiting(Set(gaps.map(\.stream)))))
        let numbers = Dictionary(grouping: trades, by: \.stream).mapValues { $0.map(\.sequence) }
        return Dictionary(
            uniqueKeysWithValues: gaps.map { gap in
                (gap.place, numbers[gap.stream, default: []].count { gap.records.contains($0) })
            })
    }
}

/// A gap as it is named: the stream, and its first record.
struct GapPlace: ArgumentValue, Hashable {
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

    var place: GapPlace { GapPlace(stream: stream, first: records.lowerBound) }

    /// How a stream comes to be complete, or to go on behind it.
    var remedy: String {
        let skip = "settle feed skip \(records.lowerBound) --stream \(stream.text.shellQuoted) --reason '…'"
        return isFollowed
            ? "\(skip)    (or bring its records back, and settle feed resume \(stream.text.shellQuoted) --reason '…')"
            : "\(skip)    (or have these trades sent once more, which closes the gap)"
    }

    /// For how long something has been missing; nil where nothing is any more.
    private var ageSeconds: Int64? {
        state == .open || state == .retried ? max(now.microseconds - foundAt.microseconds, 0) / 1_000_000 : nil
    }

    /// - Parameter waiting: how many of its trades have come and wait; nil where that is not counted.
    func json(waiting: Int? = nil) -> JSONValue {
        [
            "stream": .id(stream), "kind": .string(isFollowed ? "feed" : "trades"),
            "first": .count(records.lowerBound), "last": .count(records.upperBound),
            "records": .integer(records.count), "waiting": .count(waiting),
            "state": .string(state.rawValue), "found_at": .time(foundAt),
            "age_seconds": .count(ageSeconds),
            "skipped_at": .time(skippedAt),
            "actor": .string(actor), "reason": .string(reason),
        ]
    }
}
