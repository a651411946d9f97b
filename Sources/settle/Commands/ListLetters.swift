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
    @Option("--status", help: "Those that are open, retried or discarded.", default: .open) var status: LetterStatus
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
        let letters = filter.filter(status: status)
        let found = DeadLetterStore.decode(
            try connection.pipeline([DeadLetterStore.list(letters, after: after, limit: limit + 1)])[0])
        if found.isEmpty { try filter.requireKnown(connection) }
        let page = found.prefix(limit)
        try context.output.list(page.map(\.json), empty: "No such dead letters.") {
            var table = Table(
                Table.Column("ID", .right), "TRADE", Table.Column("CLASS", isCut: false),
                Table.Column("PARKED", isCut: false), "REASON")
            for letter in page {
                table.add(
                    "\(letter.number)", "\(letter.name)", "\(letter.failureClass)", "\(letter.parkedAt.inSeconds)",
                    "\(letter.wasSettledMeanwhile ? "(settled meanwhile) " : "")\(letter.message)")
            }
            return table
        }
        if found.count > limit, let last = page.last {
            let count = DeadLetterStore.decodeBounded(
                try connection.pipeline([DeadLetterStore.countBounded(letters)])[0])
            context.output.note("\(count.text) dead letters match")
            context.output.more(after: "\(last.number)")
        }
    }
}
