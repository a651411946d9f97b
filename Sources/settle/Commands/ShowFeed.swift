import CommandKit
import Repository
import TradeModel

struct ShowFeed: Command {
    static let info = CommandInfo(
        "status", summary: "Show how far the trades of each engine are settled.",
        discussion: """
            Everything up to the watermark is settled, applied or parked, of an engine that is followed and of trades \
            that carry the sequence of another one. A stream that is followed is halted when going on would lose \
            something, or would follow another engine than before. It is silent when its follower has heard nothing of \
            the engine for ten seconds: how far behind it is then, nobody knows.
            """,
        examples: [Example("settle feed status", ""), Example("settle feed status --json", "For a program.")])

    @Option("--limit", "N", help: "How many streams of other engines at most.", default: 50) var limit: Int
    @Option("--after", "STREAM", help: "Go on behind the page that ended with this.") var after: Identifier?

    func validate() throws { try PageOptions.check(limit) }

    func run(_ context: Context) async throws {
        let database = try Database(context)
        defer { database.leave() }
        let answers = try database.connect().pipeline([
            FeedStateStore.list(), FeedGapStore.list(isOpen: true, isFollowed: true),
            TradeStreamStore.list(after: after, limit: limit + 1),
        ])
        // An engine has one stream: those come with each page.
        let states = FeedStateStore.decode(answers[0])
        let gaps = FeedGapStore.decode(answers[1])
        let found = TradeStreamStore.decode(answers[2])
        let others = found.prefix(limit)
        try context.output.list(
            states.map { state in state.json(gap: gaps.first { $0.stream == state.stream }) } + others.map(\.json),
            empty: "No engine is followed, and no trade that was counted carried a sequence. "
                + "'settle worker --feed tcp://HOST:PORT' follows an engine."
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
                    .init(state.words))
            }
            for other in others {
                table.add(
                    "\(other.stream)", "\(other.watermark)", "\(other.newest - other.watermark)", "-",
                    .init(other.advancedAt.inSeconds), "-", .init(other.words))
            }
            return table
        }
        if found.count > others.count, let last = others.last { context.output.more(after: last.stream.text) }
        for state in states {
            if let remedy = state.remedy(gaps.first { $0.stream == state.stream }) { context.output.next(remedy) }
        }
        if let lacking = others.first(where: { $0.openGapCount > 0 }) {
            context.output.next("settle feed gaps --stream \(lacking.stream.text.shellQuoted)")
        }
    }
}

extension TradeStream {
    /// How long its watermark has been behind.
    private var lagSeconds: Int64 { oldestGapAt.map { max(now.microseconds - $0.microseconds, 0) / 1_000_000 } ?? 0 }

    fileprivate var words: String {
        if let uncountedFor { return "not counted: \(uncountedFor)" }
        guard openGapCount > 0 else { return "complete" }
        return "lacks \(missingCount.counted("trade")) in \(openGapCount.counted("gap"))"
    }

    fileprivate var json: JSONValue {
        [
            "stream": .id(stream), "kind": "trades", "watermark": .count(watermark), "hash": .null,
            "advanced_at": .time(advancedAt), "newest": .count(newest), "lag": .count(newest - watermark),
            "lag_seconds": .count(lagSeconds), "worker": .null, "halted_for": .null, "gap": .null,
            "gaps": .count(openGapCount), "missing": .count(missingCount), "oldest_gap_at": .time(oldestGapAt),
            "uncounted_for": .string(uncountedFor), "heard_at": .null, "silent_seconds": .null,
        ]
    }
}

extension FeedState {
    fileprivate var words: String {
        if let haltedFor { return "halted: \(haltedFor)" }
        if let silenceMilliseconds { return "silent for \(Checkup.duration(silenceMilliseconds))" }
        return follower == nil ? "nobody follows" : "followed"
    }

    /// What an operator types next; nil while it is followed and heard.
    func remedy(_ gap: FeedGap?) -> String? {
        if let gap { return gap.remedy }
        if haltedFor != nil {
            return "settle feed resume \(stream.text.shellQuoted) --reason '…'    (once what halted it is mended)"
        }
        if silenceMilliseconds != nil {
            return "settle engine status --engine tcp://HOST:PORT    (where the engine takes orders)"
        }
        return follower == nil ? "settle worker --feed tcp://HOST:PORT    (where the engine publishes)" : nil
    }

    /// How long its watermark has been behind.
    private var lagSeconds: Int64 {
        newest > watermark ? max(now.microseconds - advancedAt.microseconds, 0) / 1_000_000 : 0
    }

    fileprivate func json(gap: FeedGap?) -> JSONValue {
        [
            "stream": .id(stream), "kind": "feed", "watermark": .count(watermark),
            "hash": .string(hash?.hexadecimal), "advanced_at": .time(advancedAt), "newest": .count(newest),
            "lag": .count(newest - watermark), "lag_seconds": .count(lagSeconds),
            "worker": .count(follower), "halted_for": .string(haltedFor),
            "gap": gap?.json() ?? .null, "heard_at": .time(heardAt),
            "silent_seconds": .count((silenceMilliseconds ?? 0) / 1_000),
        ]
    }
}
