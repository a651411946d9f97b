import CommandKit
import Repository
import TradeModel

struct ListLetters: Command {
    static let info = CommandInfo(
        "list", summary: "List dead letters, oldest first; the open ones unless --status says otherwise.",
        examples: [
            Example("settle dlq list", "What waits for an operator."),
            Example("settle dlq list --class insufficient_funds --account 1001", "One account's, for want of money."),
            Example("settle dlq list --since 2h --market BTC/USDT", "What was parked lately in one market."),
        ])

    @OptionGroup("Filters") var filter: LetterFilterOptions
    @Option("--status", help: "Those that are open, retried or discarded, or all.", default: .open)
    var status: LetterStatusChoice
    @Option("--limit", "N", help: "How many at most.", default: 50) var limit: Int
    @Option("--after", "ID", help: "Go on behind this letter.", default: 0) var after: Int64

    func validate() throws {
        try PageOptions.check(limit)
        guard after >= 0 else { throw UsageError("'--after' is the number of a letter, not \(after)") }
    }

    func run(_ context: Context) async throws {
        let database = try Database(context)
        defer { database.leave() }
        let connection = try database.connect()
        try DeadLetterStore.keepToIndexes(connection)
        // Each status has its indexes; all of them together have none.
        let letters = status.statuses.map { filter.filter(status: $0) }
        let found = try connection.pipeline(
            letters.map { DeadLetterStore.list($0, after: after, limit: limit + 1) }
        ).flatMap(DeadLetterStore.decode).sorted { ($0.parkedAt, $0.number) < ($1.parkedAt, $1.number) }
        if found.isEmpty { try filter.requireKnown(connection) }
        let page = found.prefix(limit)
        try context.output.list(page.map(\.json), empty: "No such dead letters.") {
            var table = Table(
                Table.Column("ID", .right), Table.Column("TRADE", isCut: false), Table.Column("CLASS", isCut: false),
                Table.Column("PARKED", isCut: false), "REASON")
            if status == .all { table.columns.insert(Table.Column("STATUS", isCut: false), at: 1) }
            for letter in page {
                let standing: [Table.Cell] = status == .all ? ["\(letter.status.rawValue)"] : []
                table.add(
                    ["\(letter.number)"] + standing + [
                        "\(letter.name)", "\(letter.failureClass)", "\(letter.parkedAt.inSeconds)",
                        "\(letter.wasSettledMeanwhile ? "(settled meanwhile) " : "")\(letter.reason)",
                    ])
            }
            return table
        }
        if found.count > limit, let last = page.last {
            let counts = try connection.pipeline(letters.map(DeadLetterStore.countBounded))
                .map(DeadLetterStore.decodeBounded)
            let more = counts.contains(where: \.hasMore) ? "+" : ""
            context.output.note("\(counts.reduce(0) { $0 + $1.value }.grouped)\(more) dead letters match")
            context.output.more(after: "\(last.number)")
        }
        if let first = page.first { context.output.next("settle dlq show \(first.number)") }
    }
}

/// Which letters are listed.
enum LetterStatusChoice: String, ArgumentValue, CaseIterable {
    case open, retried, discarded, all

    var statuses: [LetterStatus] { LetterStatus(rawValue: rawValue).map { [$0] } ?? LetterStatus.allCases }
}

extension DeadLetter {
    /// Why it was parked; what is missing comes first, since the rest may be cut.
    fileprivate var reason: String {
        guard let shortfall else { return message }
        let missing = "\(shortfall.asset.text(shortfall.missing)) missing"
        guard message.hasSuffix(": " + missing) else { return message }
        return "\(missing): \(message.dropLast(missing.count + 2))"
    }
}
