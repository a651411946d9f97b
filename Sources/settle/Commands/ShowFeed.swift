import CommandKit
import Repository
import TradeModel

/// Not in pages: an engine has one stream.
struct ShowFeed: Command {
    static let info = CommandInfo(
        "status", summary: "Show up to where the output of each engine is settled, and by whom.",
        discussion: """
            Every record up to the watermark is settled, applied or parked. A stream is halted when going on would lose \
            something, or would follow another engine than before.
            """,
        examples: [Example("settle feed status", ""), Example("settle feed status --json", "For a program.")])

    func run(_ context: Context) async throws {
        let database = try Database(context)
        defer { database.leave() }
        let answers = try database.connect().pipeline([FeedStateStore.list(), FeedGapStore.list(isOpen: true)])
        let states = FeedStateStore.decode(answers[0])
        let gaps = FeedGapStore.decode(answers[1])
        try context.output.list(
            states.map { state in
                [
                    "stream": .id(state.stream), "watermark": .integer(Int(state.watermark)),
                    "hash": .string(state.hash?.hexadecimal), "advanced_at": .time(state.advancedAt),
                    "newest": .count(state.newest), "lag": .count(state.newest - state.watermark),
                    "worker": state.follower.map { .integer(Int($0)) } ?? .null, "halted_for": .string(state.haltedFor),
                    "gap": gaps.first { $0.stream == state.stream }?.json ?? .null,
                ]
            }, empty: "No engine is followed. 'settle worker --feed tcp://HOST:PORT' follows one."
        ) {
            var table = Table(
                "STREAM", Table.Column("WATERMARK", .right), Table.Column("LAG", .right), "HASH", "ADVANCED",
                Table.Column("WORKER", .right), "STATE"
            )
            for state in states {
                table.add(
                    "\(state.stream)", "\(state.watermark)", "\(state.newest - state.watermark)",
                    .init(state.hash?.hexadecimal ?? "-"),
                    .init(state.advancedAt.inSeconds), .init(state.follower.map { "\($0)" } ?? "-"),
                    .init(
                        state.haltedFor.map { "halted: \($0)" }
                            ?? (state.follower == nil ? "nobody follows" : "followed")))
            }
            return table
        }
        for state in states {
            if let remedy = state.remedy(gaps.first { $0.stream == state.stream }) { context.output.next(remedy) }
        }
    }
}

extension FeedState {
    /// What an operator types next; nil while it is followed.
    func remedy(_ gap: FeedGap?) -> String? {
        if let gap { return gap.remedy }
        if haltedFor != nil {
            return "settle feed resume \(stream.text.shellQuoted) --reason '…'    (once what halted it is mended)"
        }
        return follower == nil ? "settle worker --feed tcp://HOST:PORT    (where the engine publishes)" : nil
    }
}
