import CommandKit
import Repository
import TradeModel

struct SkipGap: Command {
    static let info = CommandInfo(
        "skip", summary: "Let a halted stream go on behind a gap, whose records are given up.",
        discussion: """
            Only what 'settle feed gaps' lists as open can be skipped. What the engine did in those records is never \
            settled here: money that moved in them differs from then on, as 'settle reconcile' shows. The hash is taken \
            from the feed anew behind the gap: that its engine is the one from before, and not one that began anew \
            without its log, is for you to know.
            """,
        examples: [
            Example("settle feed skip 7 --reason 'the engine lost its log' --yes", "The gap that record 7 is in."),
            Example("settle feed skip 7 --dry-run", "What would be given up."),
        ])

    @Argument("SEQ", help: "A record in the gap; all of the gap is skipped.") var sequence: Int64
    @Option("--stream", "NAME", help: "Which stream.", environment: "SETTLE_STREAM", default: .main)
    var stream: Identifier
    @OptionGroup("Options") var action: ActionOptions
    @Flag("--yes", "-y", help: "Do not ask.") var yes: Bool

    func run(_ context: Context) async throws {
        let database = try Database(context)
        defer { database.leave() }
        let connection = try database.connect()
        // A halted stream stands before one gap.
        let open = FeedGapStore.decode(try connection.pipeline([FeedGapStore.list(stream, isOpen: true)])[0])
        guard let gap = open.first(where: { $0.records.contains(sequence) }) else {
            throw CommandFailure(
                "record \(sequence) of stream '\(stream.text.printable)' is in no open gap; 'settle feed gaps' lists "
                    + "those there are", exit: .notFound)
        }
        let (first, last) = (gap.records.lowerBound, gap.records.upperBound)
        let what = first == last ? "record \(first)" : "records \(first) to \(last)"
        let name = "stream \(stream.text.printable)"
        if !action.dryRun {
            try context.confirm("Give up \(what) of \(name), which are never settled then?", yes: yes)
            guard try FeedGapStore.skip(gap, actor: operatorName, reason: action.reason, on: connection) else {
                throw CommandFailure(
                    "\(name) is no longer halted before this gap; 'settle feed status' says how it stands")
            }
        }
        try context.output.show([
            "stream": .id(stream), "first": .count(first), "last": .count(last),
            action.dryRun ? "would_skip" : "skipped": .integer(gap.records.count), "watermark": .count(last),
        ]) {
            let isOrAre = action.dryRun ? "would be" : first == last ? "is" : "are"
            try context.output.line(
                "\(what) of \(name) \(isOrAre) given up; it \(action.dryRun ? "would go" : "goes") on behind record "
                    + "\(last)")
        }
        if !action.dryRun { context.output.next("settle reconcile") }
    }
}
