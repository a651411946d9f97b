import CommandKit
import Glibc
import TradeFeed
import TradeModel

/// The records of an engine, as far back as its feed still has them; the engine keeps nothing because of it.
struct FeedReading {
    let feed: Endpoint
    let stream: Identifier

    /// An engine that says nothing for so long is not there.
    private static let patience = Duration.seconds(5)
    private static let lookInterval = Duration.milliseconds(100)

    /// A record, and the hash chained up to it.
    struct Record {
        let output: EngineOutput
        let hash: UInt64

        var sequence: Int64 { Int64(output.sequence) }
    }

    /// Hands out the records from one up to another, page by page, each page with the place before it.
    ///
    /// Throws `FeedFailure.notKept` where the feed no longer has the first one.
    func read(
        from first: Int64, upTo last: Int64, page: (_ before: StreamPosition, [Record]) async throws -> Void
    ) async throws {
        guard first <= last else { return }
        let consumer = try FeedConsumer(
            endpoint: feed.text,
            start: .onlooker("reconcile-\(getpid())", of: stream, after: first - 1, hash: first == 1 ? 0 : nil))
        let running = Task { try await consumer.run() }
        defer { running.cancel() }
        var taken = first - 1
        var heardAt = ContinuousClock.now
        while taken < last {
            guard let run = try await consumer.next(within: Self.lookInterval) else { break }
            if run.isEmpty {
                guard ContinuousClock.now - heardAt < Self.patience else { throw silence(consumer) }
                continue
            }
            let records = try run.outputs().prefix { $0.position.sequence <= last }
            taken = records.last?.position.sequence ?? taken
            try await page(run.start, records.map { Record(output: $0.output, hash: $0.position.hash) })
            heardAt = .now
        }
    }

    private func silence(_ consumer: FeedConsumer) -> CommandFailure {
        consumer.status.refusal.map { CommandFailure($0.printable, exit: .unavailable) } ?? .silent(feed)
    }
}

extension CommandFailure {
    /// Nobody publishes there.
    static func silent(_ feed: Endpoint) -> CommandFailure {
        CommandFailure(
            "the feed at \(feed.text.printable) does not answer. Is it running? 'settle engine --wal DIR' starts one",
            exit: .unavailable)
    }
}
