import CommandKit
import Repository
import TradeModel

struct DiscardLetters: Command {
    static let info = CommandInfo(
        "discard", summary: "Give up dead letters: they are marked, kept, and never settled by themselves.",
        discussion: """
            What was discarded stays in the table with everything that is known of it, and has no effect when it arrives \
            again, not even once its market was added or the letter was purged. \
            'settle dlq retry ID --discarded' takes a mistake back.
            """,
        usage: ["ID... --reason TEXT [options]", "FILTERS --reason TEXT [options]", "--all --reason TEXT [options]"],
        examples: [
            Example("settle dlq discard 17 --reason 'the engine has cancelled this trade'", "One letter."),
            Example("settle dlq discard --class undecodable --until 7d --reason 'load test' --yes", "All of a kind."),
            Example("settle dlq discard --market BTC/USDT --since 2h --dry-run", "How many it would be."),
        ])

    private static let chunkSize = 1_000

    @Argument("ID", help: "The letters' numbers.") var numbers: [Int64]
    @OptionGroup("Filters") var filter: LetterFilterOptions
    @Flag("--all", help: "All open letters.") var all: Bool
    @OptionGroup("Options") var action: ActionOptions
    @Flag("--yes", "-y", help: "Do not ask.") var yes: Bool

    func validate() throws { try filter.check(numbers, all: all) }

    func run(_ context: Context) async throws {
        let database = try Database(context)
        defer { database.leave() }
        let connection = try database.connect()
        let dryRun = action.dryRun
        var queue = try filter.queue(numbers, status: .open, on: connection)
        if numbers.isEmpty, queue.count > 0, !dryRun {
            try context.confirm("Discard \(queue.count.counted("dead letter"))?", yes: yes)
        }
        let interruption = Interruption()
        let progress = ProgressLine(context.output, total: queue.count)
        var discarded = 0
        var leftAlone = 0
        var discardedBefore = 0
        while !interruption.isAsked {
            let letters = try queue.next(Self.chunkSize)
            guard !letters.isEmpty else { break }
            let open = letters.filter { $0.status == .open }.map(\.number)
            let count =
                dryRun || open.isEmpty
                ? open.count
                : try connection.query(DeadLetterStore.discard(open, actor: operatorName, reason: action.reason)).count
            discarded += count
            leftAlone += letters.count - count
            discardedBefore += letters.count { $0.status == .discarded }
            progress.update(discarded + leftAlone)
        }
        progress.finish()
        interruption.letGo()
        let isCut = discarded + leftAlone < queue.count && interruption.isAsked
        try context.output.show([
            dryRun ? "would_discard" : "discarded": .integer(discarded), "left_alone": .integer(leftAlone),
            "stopped": .bool(isCut),
        ]) {
            let parts = [(discardedBefore, "discarded already"), (leftAlone - discardedBefore, "not open")]
            try context.output.line(
                "\(discarded.counted("dead letter")) \(dryRun ? "would be " : "")discarded"
                    + parts.filter { $0.0 > 0 }.map { "; \($0.0.counted("was", plural: "were")) \($0.1)" }.joined())
        }
        if isCut {
            context.output.note("stopped before the end; the same command goes on from there")
        }
    }
}
