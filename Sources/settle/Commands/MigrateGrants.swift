import CommandKit
import Repository

struct MigrateGrants: Command {
    static let info = CommandInfo(
        "grants", summary: "Give roles of PostgreSQL what they need on the tables, and no more.",
        discussion: """
            A worker may add to the ledger, the batches and the seals, and change nothing in them. An operator may also \
            add assets and markets. An auditor may read. Whoever owns the tables migrates, and says this again after \
            each migration; a role that had more loses it. See docs/tamper-evidence.md.
            """,
        examples: [
            Example(
                "settle migrate grants --worker settler --auditor auditor --dry-run",
                "Print what would be granted, for psql.")
        ])

    @Option("--worker", "ROLE", help: "Who settles.") var worker: String?
    @Option("--operator", "ROLE", help: "Who runs the commands of operators.") var `operator`: String?
    @Option("--auditor", "ROLE", help: "Who only reads.") var auditor: String?
    @Flag("--dry-run", help: "Print the statements.") var dryRun: Bool

    func validate() throws {
        let roles = [worker, `operator`, auditor].compactMap(\.self)
        if roles.isEmpty { throw UsageError("name a role: --worker, --operator or --auditor") }
        if Set(roles).count < roles.count { throw UsageError("each role is another one") }
    }

    func run(_ context: Context) async throws {
        let database = try Database(context)
        defer { database.leave() }
        let connection = try database.connect()
        if let owner = try RoleGrants.owners(among: [worker, `operator`, auditor].compactMap(\.self), on: connection) {
            throw CommandFailure(
                "\(owner) owns the tables, or may do everything anyway; name a role that is to have less")
        }
        let statements = try RoleGrants.list(
            worker: worker, operator: `operator`, auditor: auditor, on: connection)
        if !dryRun {
            try apply(statements, connection)
        }
        try context.output.show([
            "dry_run": .bool(dryRun), "statements": .array(statements.map { .string($0) }),
        ]) {
            if dryRun {
                for statement in statements { try context.output.line(statement + ";") }
            } else {
                try context.output.line("granted in \(statements.count.counted("statement"))")
            }
        }
        try context.output.flush()
    }

    private func apply(_ statements: [String], _ connection: PostgresConnection) throws {
        do {
            try RoleGrants.apply(statements, on: connection)
        } catch {
            guard error.sqlState == DatabaseError.undefinedObject else { throw error }
            throw CommandFailure(
                "\(error.message). Make it first, in psql: create role NAME login", exit: .notFound)
        }
    }
}
