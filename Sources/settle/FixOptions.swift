import CommandKit
import Repository

/// Whether what is missing here is stored again, and who says so.
struct FixOptions: ParameterGroup {
    @Flag("--fix", help: "Store what is missing here and can be had from there as PENDING; nothing else is touched.")
    var isWanted: Bool
    @Flag("--dry-run", help: "With --fix: say what would be stored, and change nothing.") var dryRun: Bool
    @Option("--reason", help: "With --fix: why, for the record.") var reason: Reason?
    @Flag("--yes", "-y", help: "With --fix: do not ask.") var yes: Bool

    func validate() throws {
        if !isWanted {
            for (name, isGiven) in [("--dry-run", dryRun), ("--reason", reason != nil), ("--yes", yes)] where isGiven {
                throw UsageError("'\(name)' goes with '--fix'")
            }
        } else if reason == nil, !dryRun {
            throw UsageError("'--fix' wants '--reason TEXT', for the record, or '--dry-run'")
        }
    }

    /// Asks, and stores what is missing, if that is wanted.
    func apply(to check: inout TradeCheck, _ context: Context) throws {
        guard isWanted else { return }
        let count = check.found.counts[.missingHere] ?? 0
        if count > 0, !dryRun {
            try context.confirm(
                "Store \(count == 1 ? "the trade that is" : "the \(count.grouped) trades that are") missing here, to "
                    + "be settled?", yes: yes)
        }
        try check.restore(dryRun: dryRun, reason: reason?.text ?? "")
    }
}
