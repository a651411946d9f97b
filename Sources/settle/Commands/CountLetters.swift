import CommandKit
import Repository
import TradeModel

/// `settle dlq stats`.
struct CountLetters: Command {
    static let info = CommandInfo(
        "stats", summary: "Count dead letters by class or market, with the oldest and the newest of the open ones.",
        discussion: """
            Each count ends at 10,000, shown as 10,000+, so that the answer comes at once however many there are.
            """,
        examples: [
            Example("settle dlq stats", "What kinds of trouble there are."),
            Example("settle dlq stats --by market", "Where it is."),
        ])

    @Option("--by", help: "What is counted together.", default: .failureClass) var grouping: LetterGrouping
    @Option("--limit", "N", help: "How many markets at most.", default: 50) var limit: Int
    @Option("--after", "MARKET", help: "Go on behind this market.") var after: String?

    func validate() throws {
        try PageOptions.check(limit, max: 1_000)
        if after != nil, grouping != .market { throw UsageError("'--after' goes with '--by market'") }
    }

    func run(_ context: Context) async throws {
        let database = try Database(context)
        defer { database.leave() }
        let connection = try database.connect()
        try DeadLetterStore.keepToIndexes(connection)
        let (groups, next) = try groups(connection)
        try context.output.list(groups.map(json), empty: "There are no dead letters.") {
            var table = Table(
                Table.Column(grouping.rawValue.uppercased(), isCut: false), Table.Column("OPEN", .right),
                Table.Column("RETRIED", .right), Table.Column("DISCARDED", .right),
                Table.Column("OLDEST OPEN", isCut: false), Table.Column("NEWEST OPEN", isCut: false))
            for group in groups {
                table.add(
                    "\(group.group ?? "-")", "\(group.counts[.open]!.text)", "\(group.counts[.retried]!.text)",
                    "\(group.counts[.discarded]!.text)", "\(group.oldestOpen?.inSeconds ?? "-")",
                    "\(group.newestOpen?.inSeconds ?? "-")")
            }
            return table
        }
        if let next { context.output.more(after: next) }
        if let group = groups.first(where: { $0.counts[.open]!.value > 0 })?.group {
            context.output.next("settle dlq list --\(grouping.rawValue) \(group.shellQuoted)")
        }
    }

    /// The groups in the order of their names, and behind which one there are more.
    private func groups(_ connection: PostgresConnection) throws -> ([LetterStatistics], next: String?) {
        switch grouping {
        case .failureClass:
            let rows = try connection.query(
                DeadLetterStore.statistics(ofClasses: FailureClass.allCases.sorted { $0.rawValue < $1.rawValue }))
            return (DeadLetterStore.decodeStatistics(rows).filter { !$0.isEmpty }, nil)
        case .market:
            let names = DeadLetterStore.decodeNames(
                try connection.query(DeadLetterStore.markets(after: after ?? "", limit: limit + 1)))
            let page = Array(names.prefix(limit))
            let answers = try connection.pipeline([
                DeadLetterStore.statisticsOfNowhere, DeadLetterStore.statistics(ofMarkets: page),
            ])
            let nowhere = after == nil ? DeadLetterStore.decodeStatistics(answers[0]) : []
            let groups = nowhere + DeadLetterStore.decodeStatistics(answers[1])
            return (groups.filter { !$0.isEmpty }, names.count > limit ? page.last : nil)
        }
    }

    private func json(_ group: LetterStatistics) -> JSONValue {
        func count(_ status: LetterStatus) -> JSONValue { .count(group.counts[status]!.value) }
        return .object([
            (key: grouping.rawValue, value: .string(group.group)), (key: "open", value: count(.open)),
            (key: "retried", value: count(.retried)), (key: "discarded", value: count(.discarded)),
            (key: "has_more", value: .bool(group.counts.values.contains(where: \.hasMore))),
            (key: "oldest_open", value: .time(group.oldestOpen)), (key: "newest_open", value: .time(group.newestOpen)),
        ])
    }
}

enum LetterGrouping: String, ArgumentValue, CaseIterable {
    case failureClass = "class"
    case market
}
