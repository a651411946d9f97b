import CommandKit
import Repository

struct Verify: Command {
    static let info = CommandInfo(
        "verify", summary: "Check from the tables alone that the books are right.",
        discussion: """
            In each asset all balances together are zero; each balance is the sum of its entries; each trade's and each \
            operation's entries match it; each trade is settled, parked or waiting; no customer is below its credit \
            line; what holds have remaining is frozen. Exits 3 if anything is wrong, and names it.
            """,
        examples: [
            Example("settle verify", "Check everything."), Example("settle verify --json", "For a script."),
            Example("settle verify --chain", "Compare the books with their seals."),
        ])

    @OptionGroup("Seals") var chain: ChainReport

    func run(_ context: Context) async throws {
        if chain.isAsked { return try chain.run(context) }
        let database = try Database(context)
        defer { database.leave() }
        let report = try Verification.run(on: database.connect())
        try context.output.show(report.json) {
            for violation in report.violations {
                try context.output.line(
                    "invariant \(violation.invariant): \(violation.subject.printable): "
                        + violation.detail.printable)
            }
            try context.output.line(report.summary)
        }
        try context.output.flush()
        if !report.isClean {
            throw CommandFailure("the books do not balance", exit: .mismatch)
        }
    }
}

extension Verification.Report {
    var json: JSONValue {
        [
            "clean": .bool(isClean), "settled_trades": .count(settledTrades), "entries": .count(entries),
            "accounts": .count(accounts),
            "violations": .array(
                violations.map {
                    [
                        "invariant": .integer($0.invariant), "subject": .string($0.subject),
                        "detail": .string($0.detail),
                    ]
                }),
        ]
    }

    /// One line for a person.
    var summary: String {
        let checked =
            "\(settledTrades.counted("settled trade")), "
            + "\(entries.counted("ledger entry", plural: "ledger entries")), \(accounts.counted("account"))"
        return isClean ? "The books balance: \(checked)." : "\(violations.count.counted("violation")) in \(checked)."
    }
}
