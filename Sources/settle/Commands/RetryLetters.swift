import CommandKit
import Repository
import ServiceKit
import SettlementWorkers
import TradeFeed
import TradeModel
import WalletClient

struct RetryLetters: Command {
    static let info = CommandInfo(
        "retry", summary: "Let dead letters be settled again, in the order in which they came.",
        discussion: """
            Each letter's trade waits again as PENDING; a running worker settles it, or, where none runs, this command. \
            What fails again is parked again, with its history. Repeating the command is safe.
            """,
        usage: ["ID... [options]", "FILTERS [options]", "--all [options]"],
        examples: [
            Example("settle dlq retry 17 18", "Two letters."),
            Example("settle dlq retry --class insufficient_funds --dry-run", "What would become of them now."),
            Example("settle dlq retry --all --yes", "All open ones, without a question."),
        ])

    @Argument("ID", help: "The letters' numbers.") var numbers: [Int64]
    @OptionGroup("Filters") var filter: LetterFilterOptions
    @Flag("--all", help: "All open letters.") var all: Bool
    @Flag("--dry-run", help: "Say what would become of each, and change nothing.") var dryRun: Bool
    @Flag("--yes", "-y", help: "Do not ask.") var yes: Bool
    @Option("--reason", "TEXT", help: "Why, for the record.", default: "retried") var reason: String

    func validate() throws {
        let ways = [!numbers.isEmpty, all, !filter.isEmpty].count { $0 }
        if ways == 0 { throw UsageError("give the letters' IDs, a filter, or '--all'") }
        if !numbers.isEmpty, ways > 1 { throw UsageError("IDs go without '--all' and without filters") }
    }

    func run(_ context: Context) async throws {
        let database = try Database(context)
        defer { database.leave() }
        let retry = try LetterRetry(database, reason: reason)
        let letters = try retry.inOrder(chosen(retry.connection))
        if dryRun {
            let open = letters.filter { $0.status == .open }
            let outcomes = try await Dictionary(uniqueKeysWithValues: zip(open.map(\.number), retry.predict(open)))
            try show(letters, outcomes, context)
            return
        }
        if numbers.isEmpty, !letters.isEmpty {
            try context.confirm("Retry \(letters.count.grouped) dead letters?", yes: yes)
        }
        let result = try await retry.carryOut(letters) { context.output.note($0) }
        try context.output.show([
            "retried": .integer(result.retried), "settled": .integer(result.settled),
            "parked_again": .integer(result.parkedAgain), "waiting": .integer(result.waiting),
            "left_alone": .integer(result.leftAlone),
        ]) {
            try context.output.line(
                "\(result.retried.grouped) retried: \(result.settled.grouped) settled, "
                    + "\(result.parkedAgain.grouped) parked again, \(result.waiting.grouped) still waiting"
                    + (result.leftAlone > 0 ? "; \(result.leftAlone.grouped) were not open" : ""))
        }
        try context.output.flush()
        if result.parkedAgain > 0 {
            throw CommandFailure(
                "\(result.parkedAgain.grouped) could not be settled; 'settle dlq list' says why")
        }
    }

    private func chosen(_ connection: PostgresConnection) throws -> [DeadLetter] {
        if !numbers.isEmpty {
            return try numbers.map { number in
                guard
                    let letter = DeadLetterStore.decode(
                        try connection.pipeline([DeadLetterStore.find(number)])[0]
                    ).first
                else { throw CommandFailure("there is no dead letter \(number)", exit: .notFound) }
                return letter
            }
        }
        var letters: [DeadLetter] = []
        while true {
            let page = DeadLetterStore.decode(
                try connection.pipeline([
                    DeadLetterStore.list(filter.filter(status: .open), after: letters.last?.number ?? 0, limit: 5_000)
                ])[0])
            letters += page
            if page.count < 5_000 { return letters }
        }
    }

    private func show(_ letters: [DeadLetter], _ outcomes: [Int64: Outcome], _ context: Context) throws {
        func word(_ letter: DeadLetter) -> String {
            switch outcomes[letter.number] {
            case nil: "is \(letter.status.rawValue), would be left alone"
            case .settled: "would settle"
            case .duplicate: "is there already"
            case .deferred: "would wait for an older trade"
            case .rejected(let rejection): "would be parked again: \(rejection.message)"
            }
        }
        try context.output.list(
            letters.map { letter in
                [
                    "id": .count(letter.number), "market": .string(letter.market), "trade_id": .string(letter.tradeID),
                    "would_settle": .bool(outcomes[letter.number] == .settled), "prediction": .string(word(letter)),
                ]
            }, empty: "No such dead letters."
        ) {
            var table = Table(Table.Column("ID", .right), "TRADE", "PREDICTION")
            for letter in letters {
                table.add("\(letter.number)", "\(letter.name)", "\(word(letter))")
            }
            return table
        }
    }
}
