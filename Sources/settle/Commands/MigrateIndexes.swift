import CommandKit
import Repository

struct MigrateIndexes: Command {
    static let info = CommandInfo(
        "indexes", summary: "Build the indexes that readers want, as the owner of the tables.",
        discussion: """
            A worker that owns the tables does so by itself, beside the settling. Where it has a role of its own, this \
            is for a timer, every few minutes: nothing that it does keeps anybody from settling.
            """,
        examples: [Example("settle migrate indexes", "Build what is missing.")])

    @Flag("--dry-run", help: "Say what would be built next.") var dryRun: Bool

    func run(_ context: Context) async throws {
        let database = try Database(context)
        defer { database.leave() }
        let connection = try database.connect()
        try connection.liftStatementTimeout()
        guard try ReadingIndexStore.mayBuild(on: connection) else {
            throw CommandFailure("only the owner of the tables may build indexes on them; connect as that role")
        }
        var statements: [String] = []
        if dryRun {
            statements = try ReadingIndexStore.work(on: connection)
        } else {
            while let statement = try ReadingIndexStore.advance(on: connection) { statements.append(statement) }
            var summaries = Summaries()
            try summaries.bringLedgerUp(on: connection)
            try Summaries.bringTradesUp(on: connection)
        }
        try context.output.list(
            statements.map { ["statement": .string($0)] }, empty: "Every index is there."
        ) {
            var table = Table("STATEMENT", "STATE")
            for statement in statements { table.add("\(statement)", "\(dryRun ? "would run" : "done")") }
            return table
        }
        try context.output.flush()
    }
}
