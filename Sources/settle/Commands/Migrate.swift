import CommandKit
import Repository

private func migrator(_ context: Context, _ database: Database) throws -> Migrator {
    Migrator(try database.connect(), try MigrationFiles.find(environment: context.environment))
}

/// Refuses a version that there is not, which would be taken for the first or the newest.
private func check(_ target: Int?, atLeast first: Int, _ context: Context) throws {
    let last = try MigrationFiles.find(environment: context.environment).migrations.count - 1
    guard let target, !(first...last).contains(target) else { return }
    throw UsageError("'--target' is a version from \(first) to \(last), not \(target)")
}

private func show(_ migrations: [Migration], verb: String, nothing: String, _ context: Context) throws {
    try context.output.list(
        migrations.map { ["version": .integer($0.version), "name": .string($0.name)] }, empty: nothing
    ) {
        var table = Table("VERSION", "NAME", "STATE")
        for migration in migrations { table.add("\(migration.version)", "\(migration.name)", "\(verb)") }
        return table
    }
}

struct MigrateUp: Command {
    static let info = CommandInfo(
        "up", summary: "Apply what the database lacks.",
        discussion: "Each migration runs in its own transaction. Two starters at once are safe.",
        examples: [Example("settle migrate up", "Bring the database up to date.")])

    @Option("--target", "N", help: "Stop after this version.") var target: Int?
    @Flag("--dry-run", help: "Say what would be applied.") var dryRun: Bool

    func run(_ context: Context) async throws {
        try check(target, atLeast: 0, context)
        let database = try Database(context, migrated: false, isMaker: !dryRun)
        defer { database.leave() }
        let migrator = try migrator(context, database)
        let steps =
            dryRun
            ? try migrator.pending().filter { $0.version <= target ?? .max } : try migrator.up(to: target)
        let isBehind = try target != nil && !migrator.pending().isEmpty
        try show(
            steps, verb: dryRun ? "would be applied" : "applied",
            nothing: isBehind ? "Nothing to apply up to that version." : "The database is up to date.", context)
    }
}

struct MigrateDown: Command {
    static let info = CommandInfo(
        "down", summary: "Take migrations back; their data are lost.",
        examples: [Example("settle migrate down --target 0 --yes", "Take everything back but the list of migrations.")])

    @Option("--target", "N", help: "The version to go back to; -1 removes everything.") var target: Int
    @Flag("--dry-run", help: "Say what would be taken back.") var dryRun: Bool
    @Flag("--yes", "-y", help: "Do not ask.") var yes: Bool

    func run(_ context: Context) async throws {
        try check(target, atLeast: -1, context)
        let database = try Database(context, migrated: false)
        defer { database.leave() }
        let migrator = try migrator(context, database)
        let known = try MigrationFiles.find(environment: context.environment).migrations
        let applied = Set(try migrator.applied().map(\.version))
        let steps = known.reversed().filter { applied.contains($0.version) && $0.version > target }
        if !dryRun, !steps.isEmpty {
            try context.confirm(
                "Take back \(steps.count.counted("migration")) of \(try database.name()) "
                    + "and lose what is in their tables?",
                yes: yes)
            try migrator.down(to: target)
        }
        try show(steps, verb: dryRun ? "would be taken back" : "taken back", nothing: "Nothing to take back.", context)
    }
}

struct MigrateStatus: Command {
    static let info = CommandInfo(
        "status", summary: "Show which migrations the database has had.",
        examples: [Example("settle migrate status", "")])

    func run(_ context: Context) async throws {
        let database = try Database(context, migrated: false)
        defer { database.leave() }
        let applied = Set(try migrator(context, database).applied().map(\.version))
        let known = try MigrationFiles.find(environment: context.environment).migrations
        try context.output.list(
            known.map {
                [
                    "version": .integer($0.version), "name": .string($0.name),
                    "applied": .bool(applied.contains($0.version)), "checksum": .string($0.checksum),
                ]
            }, empty: "No migrations."
        ) {
            var table = Table("VERSION", "NAME", "STATE")
            for migration in known {
                table.add(
                    "\(migration.version)", "\(migration.name)",
                    "\(applied.contains(migration.version) ? "applied" : "missing")")
            }
            return table
        }
    }
}

struct MigrateSQL: Command {
    static let info = CommandInfo(
        "sql", summary: "Print the SQL of the migrations that the database lacks, for another tool to run.",
        discussion: "Without a database, with --all, it prints the whole schema.",
        examples: [
            Example("settle migrate sql > pending.sql", "What this database lacks."),
            Example("settle migrate sql --all", "The whole schema."),
        ])

    @Flag("--all", help: "Print every migration, and ask no database.") var all: Bool

    func run(_ context: Context) async throws {
        var migrations = try MigrationFiles.find(environment: context.environment).migrations
        if !all {
            let database = try Database(context, migrated: false)
            defer { database.leave() }
            migrations = try migrator(context, database).pending()
        }
        if migrations.isEmpty { context.output.note("The database is up to date; there is no SQL to run.") }
        for migration in migrations { try context.output.write(migration.script) }
    }
}
