import CommandKit
import Repository

struct Verify: Command {
    static let info = CommandInfo(
        "verify", summary: "Check from the tables alone that the books are right.",
        discussion: """
            In each asset all balances together are zero; each balance is the sum of its entries; each trade's and \
            each operation's entries match it; each trade is settled, parked or waiting; no customer is below its \
            credit line; what holds have remaining is frozen; what stands of an engine's records fits together. \
            Exits 3 if anything is wrong, and names it. Settlement goes on meanwhile: the ledger is read in ranges, \
            each in one short snapshot, and what comes after it began is left for the next run. With --since, only \
            what came behind the last clean run is read, which a worker extends all the time, and every balance is \
            compared with it: an entry that was edited afterwards is found by a full run only. The queries, to be run \
            by hand: docs/verify.md.
            """,
        examples: [
            Example("settle verify", "Check everything."),
            Example("settle verify --since", "Check what came since the last clean run."),
            Example("settle verify --chain", "Compare the books with their seals."),
            Example("settle verify --json", "For a script."),
        ])

    @Flag("--since", help: "Only what came since the last clean run, and every balance against it.") var isSince: Bool
    @OptionGroup("Seals") var chain: SealReport

    func validate() throws {
        if isSince, chain.isAsked { throw UsageError("'--since' goes without '--chain'") }
    }

    func run(_ context: Context) async throws {
        if chain.isAsked { return try chain.run(context) }
        let database = try Database(context)
        defer { database.leave() }
        let report = try verify(database.connect(), context)
        try context.output.show(report.json) {
            for violation in report.violations {
                try context.output.line(
                    "invariant \(violation.invariant): \(violation.subject.printable): "
                        + violation.detail.printable)
            }
            for missing in report.missing { try context.output.line("missing: \(missing.printable)") }
            try context.output.line(report.summary)
        }
        try context.output.flush()
        if let reason = report.reasonNotKept {
            context.output.note("The result could not be kept, so '--since' does not rest on it: \(reason.printable)")
        }
        if !report.isClean {
            throw CommandFailure("the books do not balance", exit: .mismatch)
        }
    }

    private func verify(_ connection: PostgresConnection, _ context: Context) throws -> Verification.Report {
        let kind: Verification.Kind = isSince ? .since : .full
        let showsProgress = context.terminal.errorIsTerminal
        let total = showsProgress ? try Verification.entriesToRead(kind, on: connection) : nil
        let progress = ProgressLine(context.output, title: "verifying", total: total.map(Int.init))
        defer { progress.finish() }
        if showsProgress { progress.update(0) }
        let options = Verification.Options(kind, actor: operatorName)
        do {
            let report = try Verification.run(options, on: connection) { entries in
                if showsProgress { progress.update(Int(entries)) }
            }
            guard let report else {
                throw CommandFailure(
                    "there is no clean run to continue from. Run 'settle verify' without '--since'.")
            }
            return report
        } catch let error as DatabaseError where error.sqlState == DatabaseError.readOnlyTransaction {
            throw CommandFailure(
                "this server takes no writes, as a standby does, and a run needs a temporary table. Verify where "
                    + "trades are settled.", detail: error.message)
        } catch let error as DatabaseError where error.sqlState == DatabaseError.insufficientPrivilege {
            throw CommandFailure(
                "\(error.message): a run needs to read every table and to make a temporary one. Ask the owner of the "
                    + "database to grant both.".printable)
        }
    }
}

extension Verification.Report {
    var json: JSONValue {
        [
            "clean": .bool(isClean), "kind": .string(kind.rawValue), "from_batch": .count(fromBatch),
            "to_batch": .count(toBatch), "settled_trades": .count(settledTrades), "entries": .count(entries),
            "accounts": .count(accounts),
            "violations": .array(
                violations.map {
                    [
                        "invariant": .integer($0.invariant), "subject": .string($0.subject),
                        "detail": .string($0.detail),
                    ]
                }),
            "missing": .array(missing.map { .string($0) }),
        ]
    }

    /// One line for a person.
    var summary: String {
        let checked =
            "\(settledTrades.counted("settled trade")), "
            + "\(entries.counted("ledger entry", plural: "ledger entries")), \(accounts.counted("account"))"
        let since = kind == .full ? "" : " from batch \(fromBatch) on"
        return isClean
            ? "The books balance\(since): \(checked)."
            : "\(violations.count.counted("violation"))\(since) in \(checked)."
    }
}
