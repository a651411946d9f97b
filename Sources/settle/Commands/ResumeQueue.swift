import CommandKit
import Repository

struct ResumeQueue: Command {
    static let info = CommandInfo(
        "resume", summary: "Let the workers of the database go on after a pause.",
        examples: [Example("settle queue resume --reason 'the engine is up'", "")])

    @Option("--reason", help: "Why, for the record.") var reason: Reason?
    @Flag("--dry-run", help: "Say what would happen, and change nothing.") var dryRun: Bool

    func run(_ context: Context) async throws {
        let database = try Database(context)
        defer { database.leave() }
        let connection = try database.connect()
        let isNew =
            try dryRun
            ? QueueControlStore.read(connection).isPaused
            : QueueControlStore.set(paused: false, actor: operatorName, reason: reason?.text ?? "", on: connection)
                .isNew
        let report = try QueueReport.read(connection, database.limits)
        try context.output.show(.object(report.pairs + [(dryRun ? "would_change" : "changed", .bool(isNew))])) {
            let what = !isNew ? "the queue is not paused" : dryRun ? "would resume the queue" : "the queue goes on"
            try context.output.line(
                "\(what): \(report.workersText), \(report.backlog.trades.text("trade")) PENDING")
        }
        if isNew, report.living.isEmpty {
            context.output.note("No worker is running. Start one with 'settle worker'.")
        }
    }
}
