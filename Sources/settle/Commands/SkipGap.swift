import CommandKit
import Repository
import TradeModel

struct SkipGap: Command {
    static let info = CommandInfo(
        "skip", summary: "Give up the records of a gap; a stream that is halted before it goes on behind.",
        discussion: """
            Only what 'settle feed gaps' lists as open can be skipped. What an engine did in those records is never \
            settled here: money that moved in them differs from then on, as 'settle reconcile' shows. The hash is taken \
            from the feed anew behind the gap: that its engine is the one from before, and not one that began anew \
            without its log, is for you to know. Trades of other engines that come late are settled all the same.
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
        let found = try connection.query(FeedGapStore.find(stream, containing: sequence))
        guard let gap = FeedGapStore.decode(found).first else {
            throw CommandFailure(
                "record \(sequence) of stream '\(stream.text.printable)' is in no open gap; 'settle feed gaps' lists "
                    + "those there are", exit: .notFound)
        }
        let (first, last) = (gap.records.lowerBound, gap.records.upperBound)
        let what = gap.isFollowed ? "record" : "trade"
        let those = first == last ? "\(what) \(first)" : "\(what)s \(first) to \(last)"
        let name = "stream \(stream.text.printable)"
        if !action.dryRun {
            try context.confirm(
                gap.isFollowed
                    ? "Give up \(those) of \(name), which are never settled then?"
                    : "Wait no longer for \(those) of \(name)?", yes: yes)
            let actor = operatorName
            guard
                gap.isFollowed
                    ? try FeedGapStore.skip(gap, actor: actor, reason: action.reason, on: connection)
                    : try TradeStreamStore.skip(gap, actor: actor, reason: action.reason, on: connection)
            else {
                throw CommandFailure(
                    gap.isFollowed
                        ? "\(name) is no longer halted before this gap; 'settle feed status' says how it stands"
                        : "the gap is no longer as it was; 'settle feed gaps' says how it is")
            }
        }
        try context.output.show([
            "stream": .id(stream), "first": .count(first), "last": .count(last),
            action.dryRun ? "would_skip" : "skipped": .integer(gap.records.count),
            "watermark": gap.isFollowed ? .count(last) : .null,
        ]) {
            let isOrAre = action.dryRun ? "would be" : first == last ? "is" : "are"
            let goesOn = "; it \(action.dryRun ? "would go" : "goes") on behind record \(last)"
            try context.output.line("\(those) of \(name) \(isOrAre) given up\(gap.isFollowed ? goesOn : "")")
        }
        if !action.dryRun, gap.isFollowed { context.output.next("settle reconcile") }
    }
}
