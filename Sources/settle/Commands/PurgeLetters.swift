import CommandKit
import Repository
import TradeModel

struct PurgeLetters: Command {
    static let info = CommandInfo(
        "purge", summary: "Clear away dead letters that are resolved and old; a small row of each stays.",
        discussion: """
            Resolved is what was discarded, and what was retried and has settled. What was received goes, with its \
            versions and its attempts; that the letter was there, what became of it, and what operators did stays, and \
            'settle dlq show' still says so. When the same arrives again, it has no effect. Trades are never removed. \
            Ctrl-C stops between two chunks.
            """,
        examples: [
            Example("settle dlq purge --older-than 90d --dry-run", "How many that would be."),
            Example("settle dlq purge --older-than 90d --reason 'kept for a quarter' --yes", "In a nightly job."),
        ])

    private static let chunkSize = 1_000
    private static let youngest = Duration.seconds(86_400)

    @Option("--older-than", help: "Only those that have not changed for so long; a day at least.")
    var age: Duration
    @OptionGroup("Options") var action: ActionOptions
    @Flag("--yes", "-y", help: "Do not ask.") var yes: Bool

    func validate() throws {
        guard age >= Self.youngest else { throw UsageError("'--older-than' is a day at least, such as 90d") }
    }

    func run(_ context: Context) async throws {
        let database = try Database(context)
        defer { database.leave() }
        let connection = try database.connect()
        let limit = Timestamp(ago: age)
        let dryRun = action.dryRun
        if !dryRun, !yes {
            let count = try count(before: limit, connection)
            try context.confirm(
                "Purge \(count) that \(count == "1 dead letter" ? "is" : "are") resolved and unchanged since \(limit)?",
                yes: yes)
        }
        let interruption = Interruption()
        let progress = ProgressLine(context.output)
        var count = 0
        var step: PurgedLetterStore.Step?
        var isDone = false
        while !isDone, !interruption.isAsked {
            let request =
                dryRun
                ? PurgedLetterStore.count(olderThan: limit, after: step, limit: Self.chunkSize)
                : PurgedLetterStore.purge(
                    olderThan: limit, after: step, limit: Self.chunkSize, actor: operatorName,
                    reason: action.reason)
            let next = PurgedLetterStore.decode(try connection.query(request))
            count += Int(next.resolved)
            isDone = next.seen < Self.chunkSize
            step = next
            progress.update(count)
        }
        progress.finish()
        interruption.letGo()
        try context.output.show([
            dryRun ? "would_purge" : "purged": .integer(count), "stopped": .bool(!isDone), "older_than": .time(limit),
        ]) {
            try context.output.line("\(count.counted("dead letter")) \(dryRun ? "would be " : "")purged")
        }
        if !isDone { context.output.note("stopped before the end; the same command goes on from there") }
    }

    /// How many there are to purge, in words; not counted beyond what a person waits for.
    private func count(before limit: Timestamp, _ connection: PostgresConnection) throws -> String {
        var count = 0
        var step: PurgedLetterStore.Step?
        repeat {
            let request = PurgedLetterStore.count(olderThan: limit, after: step, limit: Self.chunkSize)
            let next = PurgedLetterStore.decode(try connection.query(request))
            count += Int(next.resolved)
            step = next
            if next.seen < Self.chunkSize { return count.counted("dead letter") }
        } while count < BoundedCount.bound
        return "\(count.grouped) dead letters or more"
    }
}
