import CommandKit
import EmbeddedPostgres
import Repository

struct Doctor: Command {
    static let info = CommandInfo(
        "doctor", summary: "Say what is wrong here, and the command that mends it.",
        discussion: """
            It looks at the way to the database, the server and its settings, the tables, the workers and what waits for \
            them. It changes nothing, and works as an ordinary role: what that may not see becomes a remark. Exits 3 if \
            there is a problem, 69 if the database cannot be reached; remarks alone are no failure.
            """,
        examples: [
            Example("settle doctor", "Look at everything."),
            Example("settle doctor --json", "For a script: checks with name, status, message and remedy."),
        ])

    func run(_ context: Context) async throws {
        var findings: [Finding] = []
        do {
            try look(context, &findings)
        } catch let error as DatabaseError {
            findings.append(.problem("connection", error.message, remedy: ConnectionAdvice.on(error.message).remedy))
            try report(findings, context)
            throw Self.failure(findings, exit: .unavailable, detail: error.detail)
        } catch let error as EmbeddedPostgresError {
            findings.append(.problem("private server", "\(error)", remedy: "mend that, then settle doctor again"))
            try report(findings, context)
            throw Self.failure(findings, exit: .unavailable)
        }
        try report(findings, context)
        if findings.contains(where: { $0.status == .problem }) { throw Self.failure(findings, exit: .mismatch) }
    }

    /// The findings themselves were said already.
    private static func failure(_ findings: [Finding], exit: ExitCode, detail: String? = nil) -> CommandFailure {
        let problems = findings.count { $0.status == .problem }
        return CommandFailure(
            "\(problems.counted("problem")) found; what mends it stands behind each", exit: exit, detail: detail)
    }

    private func look(_ context: Context, _ findings: inout [Finding]) throws {
        findings.append(.ok("program", "settle \(Settle.version)"))
        let isPrivate = context.globals.databaseURL == nil && EmbeddedCluster.isWanted(environment: context.environment)
        if isPrivate, !EmbeddedCluster.exists() {
            findings.append(
                .remark(
                    "private server", "no database is named, and there is no private one in .settle/ yet",
                    remedy:
                        "settle up    (makes one with a simulated market), settle migrate up    (makes an empty one), "
                        + "or export DATABASE_URL=postgresql://…"))
            return
        }
        let database = try Database(context, migrated: false)
        defer { database.leave() }
        if let folder = database.dataDirectory {
            findings.append(.ok("private server", "runs; its data are in \(folder)"))
            findings += DiskSpace(of: folder).map { [$0.finding(folder: folder)] } ?? []
        }
        let connection = try database.connect()
        let start = ContinuousClock.now
        try connection.script("select 1")
        let roundTrip = ContinuousClock.now - start
        findings.append(
            .ok(
                "connection",
                "\(connection.address), \(Self.origin(context, isPrivate)); "
                    + "a round trip takes \(roundTrip.milliseconds) ms"))
        findings += try Checkup(
            connection: connection, second: database.connect(), limits: database.limits,
            environment: context.environment
        ).findings()
        if database.dataDirectory == nil {
            findings.append(.remark("disk space", "cannot be seen from here; watch it on the server"))
        }
    }

    /// Who named the database.
    private static func origin(_ context: Context, _ isPrivate: Bool) -> String {
        if isPrivate { return "the private one in .settle/" }
        return switch context.globals.$databaseURL {
        case .commandLine: "named by --database-url"
        case .environment(let name): "named by \(name)"
        default: "named by libpq's PG* variables"
        }
    }

    private func report(_ findings: [Finding], _ context: Context) throws {
        let output = context.output
        let width = findings.map(\.name.count).max() ?? 0
        try output.show([
            "healthy": .bool(!findings.contains { $0.status == .problem }), "checks": .array(findings.map(\.json)),
        ]) {
            for finding in findings {
                let name = finding.name.padded(toColumns: width)
                let status = finding.status.rawValue.padded(toColumns: Finding.Status.problem.rawValue.count)
                try output.line("\(output.styled(status, finding.status.style))  \(name)  \(finding.message.printable)")
                guard let remedy = finding.remedy else { continue }
                let indent = String(repeating: " ", count: status.count + width + 4)
                try output.line("\(indent)\(output.styled("→ \(remedy.printable)", .dim))")
            }
            let problems = findings.count { $0.status == .problem }
            let remarks = findings.count { $0.status == .remark }
            try output.line("")
            try output.line(
                problems + remarks == 0
                    ? "All is well."
                    : "\(problems.counted("problem")), \(remarks.counted("remark")).")
        }
        try output.flush()
    }
}
