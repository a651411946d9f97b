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
        let work: Work
        if dryRun {
            let unsealed = try SealVerification.unsealed(on: connection)
            work = Work(batches: unsealed.batches, entries: unsealed.entries)
        } else {
            work = try await seal(connection, context)
        }
        let head = try SealStore.last(on: connection).map(SealMark.init)
        try context.output.show([
            "seals": .count(work.seals), "batches": .count(work.batches), "entries": .count(work.entries),
            "dry_run": .bool(dryRun),
            "head": head.map { ["seal": .count($0.seal), "hash": .string("\($0.chain)")] } ?? .null,
        ]) {
            let what =
                work.batches.counted("batch", plural: "batches") + " with "
                + work.entries.counted("ledger entry", plural: "ledger entries")
            try context.output.line(
                work.batches == 0
                    ? "Everything is sealed."
                    : dryRun ? "would seal \(what)" : "sealed \(what) in \(work.seals.counted("seal"))")
            if let head { try context.output.line("Head: \(head)") }
        }
        try context.output.flush()
    }

    /// What was sealed, or would be.
    private struct Work {
        var seals: Int64 = 0
        var batches: Int64 = 0
        var entries: Int64 = 0
    }

    /// Seals all that was committed up to now; what other processes seal meanwhile is left to them.
    private func seal(_ connection: PostgresConnection, _ context: Context) async throws -> Work {
        try connection.liftStatementTimeout()
        let horizon = try BatchHorizon(on: connection)
        guard try horizon.wait(on: connection, patience: Self.patience) else {
            throw CommandFailure(
                "a batch has been open for a long time, and nothing behind it can be sealed until it ends. Try again.")
        }
        var work = Work()
        var sealer = Sealer(interval: .zero)
        let progress = ProgressLine(context.output)
        defer { progress.finish() }
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
            if head.map({ $0.batches.upperBound > horizon.newest }) ?? (horizon.newest <= 0) { return work }
            if let seal = try sealer.advance(on: connection, atOnce: true) {
                work.seals += 1
                work.batches += seal[.batches].lines
                work.entries += seal[.entries].lines
                progress.update(Int(work.seals))
            } else if try SealVerification.unsealed(on: connection).batches == 0 {
                return work
            } else {
                guard ContinuousClock.now < deadline else {
                    throw CommandFailure("another process is sealing and has not finished. Try again.")
                }
                try await Task.sleep(for: .milliseconds(50))
            }
        }
    }
}
