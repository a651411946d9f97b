import AuditTrail
import CommandKit
import Glibc
import Repository
import TradeModel

struct ExportAudit: Command {
    static let info = CommandInfo(
        "audit", summary: "Export a day with its seals, for an auditor to check without a database.",
        discussion: """
            A folder with all that the seals of the day cover (a little more than the day, since seals are whole), the \
            balances of all accounts at its beginning and its end, and a manifest. 'settle audit check' looks through \
            it; what stands in it is laid down in docs/tamper-evidence.md. A day is one of UTC; it must be \
            over and sealed, as a worker does within a minute, or 'settle audit seal' at once.
            """,
        examples: [
            Example("settle export audit --day 2026-01-31", "To the folder audit-2026-01-31."),
            Example("settle export audit --day 2026-01-31 -O january-31", "To another."),
        ])

    @Option("--day", "DAY", help: "The day in UTC, such as 2026-01-31.") var day: Day
    @Option("-O", "--output-file", "BUNDLE", help: "The folder to make; without it, audit-DAY.") var folder: String?

    func run(_ context: Context) async throws {
        let database = try Database(context)
        defer { database.leave() }
        let connection = try database.connect()
        try connection.liftStatementTimeout()
        let path = folder ?? "audit-\(day.argumentText)"
        let period = try period(connection)
        // What is not finished has to be removed, so that a second signal changes nothing.
        let interruption = Interruption(second: {})
        defer { interruption.letGo() }
        do {
            let writer = try BundleWriter(path)
            let progress = ProgressLine(
                context.output, title: "seals", total: period.seals.map { Int($0.upperBound - $0.lowerBound) + 1 } ?? 0)
            func step(_ count: Int64) throws {
                if interruption.isAsked {
                    throw CommandFailure("interrupted; \(path.printable) was not written", exit: .forced)
                }
                progress.update(Int(count))
            }
            let after = try writeSeals(of: period, to: writer, connection, step: step)
            var balances = try TrialBalance(period.period, on: connection)
            while let page = try balances.next() {
                try step(after.seal - period.before.seal)
                for balance in page { try writer.write(balance.line, to: .balances) }
            }
            var lines: Int64 = 0
            try writer.finish { files in
                lines = files.reduce(0) { $0 + $1.lines }
                return BundleManifest(
                    program: "settle \(Settle.version)", period: period.period, exportedAt: .now,
                    before: period.before, after: after, files: files)
            }
            progress.finish()
            let seals = after.seal - period.before.seal
            try context.output.show([
                "bundle": .string(path), "since": .time(period.period.lowerBound),
                "until": .time(period.period.upperBound), "seals": .count(period.seals == nil ? 0 : seals),
                "lines": .count(lines), "before": .string("\(period.before)"), "after": .string("\(after)"),
            ]) {
                try context.output.line(
                    "\(path.printable): \((period.seals == nil ? 0 : seals).counted("seal")), \(lines.counted("line"))")
                try context.output.line("Head: \(after)")
            }
            try context.output.flush()
            context.output.next("settle audit check \(path.shellQuoted)")
        } catch let problem as WriteProblem {
            guard problem.code == EEXIST else { throw FileProblem(.write, path, code: problem.code) }
            throw CommandFailure("\(path.printable) exists. Give another name with -O.")
        }
    }

    private func period(_ connection: PostgresConnection) throws -> AuditPeriod {
        do {
            return try AuditPeriod(day.period, on: connection)
        } catch AuditPeriod.Refusal.isNotOver {
            throw CommandFailure("\(day.argumentText) is not over; it ends at \(day.period.upperBound)")
        } catch AuditPeriod.Refusal.isNotSealed(let batches) {
            throw CommandFailure(
                "\(batches.counted("batch", plural: "batches")) of \(day.argumentText) "
                    + "\(batches == 1 ? "is" : "are") not sealed yet. Wait a minute for a worker to do it, or run "
                    + "'settle audit seal'.")
        }
    }

    /// Writes what each seal covers, if it is that: what somebody has changed since is not handed out as sealed.
    private func writeSeals(
        of period: AuditPeriod, to writer: BundleWriter, _ connection: PostgresConnection,
        step: (Int64) throws -> Void
    ) throws -> SealMark {
        guard let numbers = period.seals else { return period.before }
        var last = period.before
        while last.seal < numbers.upperBound {
            guard let seal = try SealStore.list(after: last.seal, limit: 1, on: connection).first else { break }
            for table in SealedTable.allCases {
                let lines = try SealStore.lines(table, of: seal.batches, on: connection)
                let hash = SHA256()
                for line in lines {
                    hash.update(line.utf8)
                    hash.update(CollectionOfOne(UInt8(ascii: "\n")))
                    try writer.write(line, to: .table(table))
                }
                guard Seal.Content(lines: Int64(lines.count), digest: hash.finish()) == seal[table] else {
                    throw CommandFailure(
                        "the \(table.noun) of seal \(seal.number) are not what was sealed. "
                            + "Run 'settle verify --chain'.", exit: .mismatch)
                }
            }
            guard seal.number == last.seal + 1, seal.chained(to: last.chain) == seal.chain else {
                throw CommandFailure(
                    "seal \(last.seal + 1) is missing or was changed. Run 'settle verify --chain'.", exit: .mismatch)
            }
            try writer.write(seal.line, to: .seals)
            last = SealMark(seal)
            try step(seal.number - period.before.seal)
        }
        return last
    }
}

extension BalanceCourse {
    /// As it stands in a bundle; amounts are in the smallest unit of the asset.
    fileprivate var line: String {
        let moments = [opening, closing].map { "\($0.version)\t\($0.available)\t\($0.frozen)" }
        return ([kind, account.sealed, asset] + moments).joined(separator: "\t")
    }
}

/// A day of UTC.
struct Day: ArgumentValue {
    let argumentText: String
    let period: Range<Timestamp>

    init(argument: String) throws {
        guard argument.utf8.count == 10, let start = Timestamp(argument + "T00:00:00Z") else {
            throw InvalidValue("a day is like 2026-01-31")
        }
        argumentText = argument
        period = start..<Timestamp(microseconds: start.microseconds + 86_400_000_000)
    }

    static var valueName: String { "DAY" }
}
