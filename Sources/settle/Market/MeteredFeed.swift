import Repository
import SettlementWorkers
import TradeModel

/// The feed of an engine, which tells as it is settled how far that has come.
struct MeteredFeed: FeedConnector {
    let feed: EngineFeed
    let meter: EngineMeter

    var stream: Identifier { feed.stream }

    func follow(_ lease: FeedLease) async throws(FeedStop) -> any FeedRecords {
        let records = try feed.follow(lease)
        meter.settled(upTo: lease.sequence)
        return MeteredRecords(records: records, meter: meter)
    }
}

private struct MeteredRecords: FeedRecords {
    let records: any FeedRecords
    let meter: EngineMeter

    func next() async throws(FeedStop) -> FeedPage { try await records.next() }

    var heardAt: ContinuousClock.Instant? { get async { await records.heardAt } }

    func acknowledge(_ sequence: Int64) async {
        meter.settled(upTo: sequence)
        await records.acknowledge(sequence)
    }

    func stop() async { await records.stop() }
}
