import Repository
import ServiceKit
import SettlementWorkers
import TradeFeed
import TradeModel

/// The feed of an engine, for a worker that settles what it says.
struct EngineFeed: FeedConnector {
    let endpoint: String
    let stream: Identifier
    let log: Log

    /// Of all followers in turn one settles, so that they share the place that the engine keeps.
    private static let consumer = Identifier("settlement")!

    func follow(_ lease: FeedLease) throws(FeedStop) -> any FeedRecords {
        let start = FeedCursor.Start(
            consumer: Self.consumer, stream: stream, instance: UInt64(lease.epoch), after: lease.sequence,
            hash: lease.hash, epoch: lease.engineEpoch)
        do {
            return EngineRecords(try FeedConsumer(endpoint: endpoint, start: start, diagnostics: log), stream: stream)
        } catch { throw .later("\(error)") }
    }
}

/// The records of an engine as they come over its feed.
private actor EngineRecords: FeedRecords {
    private static let patience = Duration.milliseconds(250)
    /// How long an engine may be away before another worker gets a turn, which may reach it, or its successor.
    private static let awayTime = Duration.seconds(5)

    private let consumer: FeedConsumer
    private let stream: Identifier
    private let running: Task<Void, any Error>
    private let startedAt = ContinuousClock.now
    private var followedAt: ContinuousClock.Instant?

    init(_ consumer: FeedConsumer, stream: Identifier) {
        self.consumer = consumer
        self.stream = stream
        running = Task { try await consumer.run() }
    }

    func next() async throws(FeedStop) -> FeedPage {
        do {
            guard let run = try await consumer.next(within: Self.patience) else {
                throw FeedStop.later("the feed was left")
            }
            if run.isEmpty { try beThere() }
            return page(
                try run.outputs().map { position, output in
                    FeedPage.Record(hash: position.hash, items: output.items(of: stream), listing: output.listing)
                })
        } catch let stop as FeedStop {
            throw stop
        } catch let failure as FeedFailure {
            throw failure.stop
        } catch {
            throw .later("\(error)")
        }
    }

    private func beThere() throws(FeedStop) {
        guard ContinuousClock.now - (heardAt ?? startedAt) >= Self.awayTime else { return }
        throw .later(consumer.status.refusal ?? "the engine's feed at \(consumer.endpoint) does not answer")
    }

    var heardAt: ContinuousClock.Instant? {
        let status = consumer.status
        if status.isFollowing { followedAt = status.heardAt }
        return followedAt
    }

    private func page(_ records: [FeedPage.Record]) -> FeedPage {
        let status = consumer.status
        return FeedPage(records: records, engineEpoch: status.epoch, newest: status.newest)
    }

    func acknowledge(_ sequence: Int64) {
        consumer.acknowledge(upTo: sequence)
    }

    func stop() async {
        consumer.stop()
        _ = try? await running.value
    }
}

extension FeedFailure {
    /// Whether it passes by itself.
    fileprivate var stop: FeedStop {
        switch self {
        case .notKept(_, let oldest): .notKept(description, oldest: oldest)
        case .ahead, .hashDiffers, .damaged, .unreadable: .halted(description)
        case .otherStream, .replaced, .otherVersion: .later(description)
        }
    }
}
