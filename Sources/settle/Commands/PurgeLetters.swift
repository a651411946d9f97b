import CommandKit
import Repository
import ServiceKit
import TradeModel

struct PurgeLetters: Command {
    static let info = CommandInfo(
        "purge", summary: "Clear away dead letters that are resolved and old; a small row of each stays.",
        discussion: """
            Resolved is what was discarded, and what was retried and has settled. What was received goes, with its \
            versions and its attempts; that the letter was there, what became of it, and what operators did stays, and \
            'settle dlq show' still says so. Trades are never removed. Ctrl-C stops between two chunks.
            """,
        examples: [
            Example("settle dlq purge --older-than 90d --dry-run", "How many that would be."),
            Example("settle dlq purge --older-than 90d --reason 'kept for a quarter' --yes", "In a nightly job."),
        ])

    private static let chunkSize = 1_000
    private static let youngest = Duration.seconds(86_400)

    @Option("--older-than", help: "Only those that have not changed for so long; a day at least.")
    var age: Duration
    @Option("--reason", "TEXT", help: "Why, for the record.") var reason: String?
    @Flag("--dry-run", help: "Say how many it would be, and change nothing.") var dryRun: Bool
    @Flag("--yes", "-y", help: "Do not ask.") var yes: Bool

    func validate() throws {
        guard age >= Self.youngest else { throw UsageError("'--older-than' is a day at least, such as 90d") }
        guard !dryRun else { return }
        guard let reason else { throw UsageError("'--reason' is missing") }
        try checkReason(reason)
    }

    func run(_ context: Context) async throws {
        let database = try Database(context)
        defer { database.leave() }
        let connection = try database.connect()
        let microseconds = Int128(age.components.seconds) * 1_000_000
        let limit = Timestamp(
            microseconds: Int64(max(0, Int128(Timestamp.now.microseconds) - microseconds)))
        if !dryRun {
            try context.confirm("Purge what is resolved and has not changed since \(limit)?", yes: yes)
        }
        let isStopped = Guarded(false)
        let signals = StopSignals(first: { isStopped.withLock { $0 = true } }, second: {})
        let progress = ProgressLine(context.output)
        var count = 0
        var step: PurgedLetterStore.Step?
        var isDone = false
        while !isDone, !isStopped.withLock({ $0 }) {
            let request =
                dryRun
                ? PurgedLetterStore.count(olderThan: limit, after: step, limit: Self.chunkSize)
                : PurgedLetterStore.purge(
                    olderThan: limit, after: step, limit: Self.chunkSize, actor: operatorName, reason: reason ?? "")
            let next = PurgedLetterStore.decode(try connection.pipeline([request])[0])
            count += Int(next.resolved)
            isDone = next.seen < Self.chunkSize
            step = next
            progress.update(count)
        }
        progress.finish()
        signals.letGo()
        try context.output.show([
            "purged": .integer(count), "dry_run": .bool(dryRun), "stopped": .bool(!isDone),
            "older_than": .time(limit),
        ]) {
            try context.output.line("\(deadLetters(count)) \(dryRun ? "would be " : "")purged")
        }
        if !isDone { context.output.note("stopped before the end; the same command goes on from there") }
    }
}
