import CommandKit
import Glibc
import TradeFeed
import TradeModel

struct TailFeed: Command {
    static let info = CommandInfo(
        "tail", summary: "Show the records of an engine's feed as JSON, a line each.",
        discussion: """
            It looks on without being waited for: the engine keeps nothing because of it. The hash of every record is \
            checked. With --follow it goes on with what comes, until stopped by a signal.
            """,
        examples: [
            Example("settle feed tail --from 1 --feed tcp://127.0.0.1:5561", "Everything that is kept, from there."),
            Example("settle feed tail --from 1 --limit 5 --follow", "Five records, and what has not come yet of them."),
        ])

    @Option("--from", "SEQ", help: "The first record to show.") var first: Int
    @Option("--limit", "N", help: "How many records at most. (default: all)") var limit: Int?
    @Flag("--follow", help: "Go on with what comes.") var follow: Bool
    @Option(
        "--feed", help: "Where the engine publishes.", environment: "SETTLE_FEED", default: .feed)
    var feed: Endpoint

    /// An engine that does not answer in so long is not there.
    private static let patience = Duration.seconds(5)
    private static let lookInterval = Duration.milliseconds(100)

    func validate() throws {
        guard first > 0 else { throw UsageError("'--from' is a record's number, from 1 on, not \(first)") }
        if let limit, limit < 1 { throw UsageError("'--limit' is a number from 1 on, not \(limit)") }
    }

    func run(_ context: Context) async throws {
        let consumer = try FeedConsumer(
            endpoint: feed.text,
            start: .onlooker("tail-\(getpid())", after: Int64(first) - 1, hash: first == 1 ? 0 : nil))
        let running = Task { try await consumer.run() }
        let signals = StopSignals(first: { consumer.stop() }, second: { consumer.stop() })
        defer { signals.letGo() }
        let watch = Task { [follow] in
            try await Task.sleep(for: Self.patience)
            if !consumer.status.isFollowing, !follow { consumer.stop() }
        }
        defer { watch.cancel() }
        var shown = 0
        do {
            // What was there when it was asked is shown; whether that is all is known once the engine has answered.
            while follow || !consumer.status.isFollowing || consumer.status.taken < consumer.status.newest {
                guard let run = try await consumer.next(within: Self.lookInterval) else { break }
                for (_, record) in try run.outputs() where shown < limit ?? .max {
                    try context.output.line(record.json)
                    shown += 1
                }
                if shown == limit { break }
            }
        } catch let failure as FeedFailure {
            throw CommandFailure(failure.description.printable)
        }
        let wasThere = consumer.status.isFollowing
        consumer.stop()
        _ = try? await running.value
        guard wasThere || shown > 0 || follow else {
            throw CommandFailure.silent(feed)
        }
    }
}
