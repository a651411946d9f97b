import AuditTrail
import CommandKit
import Repository

struct SealBooks: Command {
    static let info = CommandInfo(
        "seal", summary: "Seal at once what was committed, instead of within a minute.",
        discussion: """
            A worker seals what it and others have settled, a minute later or when it is much. This command does the \
            same now: before a day is exported, or where no worker runs. What it ends with is the head of the chain: \
            noted elsewhere, it proves that nobody has made the chain anew.
            """,
        examples: [
            Example("settle audit seal", "Seal what is there, and show the head of the chain."),
            Example("settle audit seal --dry-run", "Say what would be sealed."),
        ])

    @Flag("--dry-run", help: "Say what would be sealed.") var dryRun: Bool

    /// How long batches that are under way are waited for.
    private static let patience = Duration.seconds(10)

    func run(_ context: Context) async throws {
        let database = try Database(context)
        defer { database.leave() }
        let connection = try database.connect()
        let before = try ChainVerification.unsealed(on: connection)
        var sealed: Int64 = 0
        if !dryRun {
            try connection.liftStatementTimeout()
            let horizon = try BatchHorizon(on: connection)
            guard try horizon.wait(on: connection, patience: Self.patience) else {
                throw CommandFailure(
                    "a batch is under way for a long time; nothing behind it can be sealed. Try again.")
            }
            var sealer = Sealer(interval: .zero)
            let progress = ProgressLine(context.output)
            let interruption = Interruption()
            defer { interruption.letGo() }
            var deadline = ContinuousClock.now + Self.patience
            var lastHead: Int64?
            while true {
                if interruption.isAsked { throw CommandFailure("interrupted; what was sealed stays so", exit: .forced) }
                let head = try SealStore.last(on: connection)
                // Whoever else seals comes on meanwhile.
                if head?.number != lastHead { deadline = .now + Self.patience }
                lastHead = head?.number
                if head.map({ $0.batches.upperBound > horizon.newest }) ?? (horizon.newest <= 0) { break }
                if try sealer.advance(on: connection, isDue: true) != nil {
                    sealed += 1
                    progress.update(Int(sealed))
                } else if try ChainVerification.unsealed(on: connection).batches == 0 {
                    break
                } else {
                    guard ContinuousClock.now < deadline else {
                        throw CommandFailure("another process seals, and has not come to an end. Try again.")
                    }
                    try await Task.sleep(for: .milliseconds(50))
                }
            }
            progress.finish()
        }
        let head = try SealStore.last(on: connection).map(SealMark.init)
        try context.output.show([
            "sealed": .count(dryRun ? 0 : sealed), "unsealed_batches": .count(before.batches),
            "unsealed_entries": .count(before.entries), "dry_run": .bool(dryRun),
            "head": head.map { ["seal": .count($0.seal), "hash": .string("\($0.chain)")] } ?? .null,
        ]) {
            let what = before.batches.counted("batch", plural: "batches")
            let entries = before.entries.counted("ledger entry", plural: "ledger entries")
            try context.output.line(
                before.batches == 0
                    ? "Everything is sealed."
                    : dryRun
                        ? "would seal \(what) with \(entries)"
                        : "sealed \(what) with \(entries) in \(sealed.counted("seal"))")
            if let head { try context.output.line("Head: \(head)") }
        }
        try context.output.flush()
    }
}
