import AuditTrail
import CommandKit
import Glibc

struct CheckBundle: Command {
    static let info = CommandInfo(
        "check", summary: "Check what 'settle export audit' wrote, without a database.",
        discussion: """
            The files are those of the manifest and hold what the seals cover; each seal's hash follows from the one \
            before; each batch sums to zero in each asset, and has the entries that its trades and operations ask for; \
            the balances at the beginning and the entries of the day come to those at the end. Exits 3 if anything is \
            wrong, and names file and line. Only a hash that was noted elsewhere, or the bundle of the day before, \
            tells a chain that was made anew from the one that was there; and what accounts had at the beginning is \
            shown by the bundle of the day before alone, back to the first.
            """,
        examples: [
            Example("settle audit check audit-2026-01-31", "One day."),
            Example("settle audit check audit-2026-01-31 --json", "For a script."),
        ])

    @Argument("BUNDLE", help: "The folder that was exported.") var folder: String
    @Option("--after", "BUNDLE", help: "The bundle of the time before, which this one must go on from.")
    var previous: String?
    @Option("--expect", "SEAL:HASH", help: "A seal and its hash that were noted earlier.")
    var marks: [SealMark]

    func run(_ context: Context) async throws {
        let interruption = Interruption()
        defer { interruption.letGo() }
        for bundle in [folder] + (previous.map { [$0] } ?? []) where access(bundle, F_OK) != 0 {
            throw CommandFailure("there is no bundle \(bundle.printable)", exit: .notFound)
        }
        do {
            let check = try BundleCheck(folder, noted: marks)
            let progress = ProgressLine(context.output, title: "seals")
            try check.run(
                after: previous, progress: { progress.update(Int($0)) }, isCancelled: { interruption.isAsked })
            progress.finish()
            if interruption.isAsked { throw CommandFailure("interrupted; not all was looked at", exit: .forced) }
            try show(check, context)
            if !check.findings.isEmpty { throw CommandFailure("the bundle is not right", exit: .mismatch) }
        } catch let problem as BundleProblem {
            throw CommandFailure("\(folder): \(problem)".printable, exit: .mismatch)
        }
    }

    private func show(_ check: BundleCheck, _ context: Context) throws {
        try context.output.show([
            "clean": .bool(check.findings.isEmpty), "complete": .bool(!check.isTired),
            "since": .time(check.period.lowerBound), "until": .time(check.period.upperBound),
            "seals": .count(check.sealCount), "before": .string("\(check.before)"), "after": .string("\(check.head)"),
            "findings": .array(
                check.findings.map {
                    [
                        "file": .string($0.file), "line": .count($0.line),
                        "detail": .string($0.detail),
                    ]
                }),
        ]) {
            for finding in check.findings {
                let place = finding.file + (finding.line.map { ":\($0)" } ?? "")
                try context.output.line("\(place): \(finding.detail)".printable)
            }
            if check.isTired { try context.output.line("… and perhaps more, which was not looked for.") }
            let seals = check.sealCount.counted("seal")
            try context.output.line(
                check.findings.isEmpty
                    ? "The bundle is right: \(seals), from \(check.period.lowerBound) to \(check.period.upperBound)."
                    : "\(check.findings.count.counted("finding")) in \(seals).")
            try context.output.line("Before: \(check.before)")
            try context.output.line("Head: \(check.head)")
        }
        try context.output.flush()
    }
}
