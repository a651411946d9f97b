import CommandKit
import Repository
import TradeModel

struct ResumeFeed: Command {
    static let info = CommandInfo(
        "resume", summary: "Let a halted stream be followed again, from where it stopped.",
        discussion: """
            'settle feed status' says why it was halted. Nothing is skipped: what stopped it is tried again, so mend \
            that first, by unfreezing an account for example.
            """,
        examples: [Example("settle feed resume main --reason 'account 1001 unfrozen'", "")])

    @Argument("STREAM", help: "Which stream.") var stream: Identifier
    @OptionGroup("Options") var action: ActionOptions

    func run(_ context: Context) async throws {
        let database = try Database(context)
        defer { database.leave() }
        let connection = try database.connect()
        let state = try FeedStateStore.known(stream, connection)
        if !action.dryRun {
            try FeedStateStore.resume(state, actor: operatorName, reason: action.reason, on: connection)
        }
        let isNew = state.haltedFor != nil
        try context.output.show([
            "stream": .id(stream), "watermark": .count(state.watermark), "halted_for": .string(state.haltedFor),
            action.dryRun ? "would_resume" : "resumed": .bool(isNew),
        ]) {
            let what = "stream \(stream.text.printable)"
            try context.output.line(
                !isNew
                    ? "\(what) is not halted"
                    : "\(what) \(action.dryRun ? "would go" : "goes") on behind record \(state.watermark)")
        }
    }
}
