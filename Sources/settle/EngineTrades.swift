import CommandKit
import Repository
import SettlementWorkers
import TradeFeed
import TradeModel

/// The trades that an engine has made, as its feed still has them.
struct EngineTrades {
    let feed: Endpoint
    let stream: Identifier

    /// Hands out the trades up to a record, page by page, each at the place of its record.
    ///
    /// - Returns: the first record that the feed still has.
    func read(upTo sequence: Int64, page: ([StatedTrade]) throws -> Void) async throws -> Int64 {
        do {
            do { return try await read(from: 1, upTo: sequence, page) } catch FeedFailure.notKept(_, let oldest) {
                return try await read(from: oldest, upTo: sequence, page)
            }
        } catch let failure as FeedFailure {
            throw CommandFailure(failure.description.printable)
        }
    }

    private func read(
        from first: Int64, upTo sequence: Int64, _ page: ([StatedTrade]) throws -> Void
    ) async throws -> Int64 {
        try await FeedReading(feed: feed, stream: stream).read(from: first, upTo: sequence) { _, records in
            var trades: [StatedTrade] = []
            for record in records {
                for case .trade(let trade) in record.output.items(of: stream).map(\.subject) {
                    trades.append(StatedTrade(trade, place: record.sequence))
                }
            }
            try page(trades)
        }
        return first
    }
}
