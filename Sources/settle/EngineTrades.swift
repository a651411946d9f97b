import CommandKit
import Foundation
import Repository
import SettlementWorkers
import TradeFeed
import TradeModel

/// The trades that an engine has made, as its feed still has them.
struct EngineTrades {
    let feed: IntakeEndpoint
    let stream: Identifier

    /// An engine that says nothing for so long is not there.
    private static let patience = Duration.seconds(5)
    private static let lookInterval = Duration.milliseconds(100)

    /// Hands out the trades up to a record, page by page, each at the place of its record.
    ///
    /// - Returns: the first record that the feed still has.
    func read(upTo sequence: Int64, page: ([StatedTrade]) throws -> Void) async throws -> Int64 {
        do {
            return try await read(from: 1, upTo: sequence, page)
        } catch FeedFailure.notKept(_, let oldest) {
            do { return try await read(from: oldest, upTo: sequence, page) } catch let failure as FeedFailure {
                throw CommandFailure(failure.description.printable)
            }
        } catch let failure as FeedFailure {
            throw CommandFailure(failure.description.printable)
        }
    }

    private func read(
        from first: Int64, upTo sequence: Int64, _ page: ([StatedTrade]) throws -> Void
    ) async throws -> Int64 {
        guard first <= sequence else { return first }
        // It looks on: the engine keeps nothing because of it.
        let consumer = try FeedConsumer(
            endpoint: feed.text,
            start: FeedCursor.Start(
                consumer: Identifier(stored: "reconcile-\(ProcessInfo.processInfo.processIdentifier)"), stream: stream,
                instance: UInt64(Timestamp.now.microseconds), after: first - 1, hash: first == 1 ? 0 : nil,
                keepsPlace: false))
        let running = Task { try await consumer.run() }
        defer { running.cancel() }
        var taken = first - 1
        var heardAt = ContinuousClock.now
        while taken < sequence {
            guard let run = try await consumer.next(within: Self.lookInterval) else { break }
            if run.isEmpty {
                guard ContinuousClock.now - heardAt < Self.patience else { throw silence(consumer) }
                continue
            }
            heardAt = .now
            var trades: [StatedTrade] = []
            for bytes in run.records where taken < sequence {
                let record = try Array(bytes).withUnsafeBytes { try EngineOutput(bytes: $0) }
                taken = Int64(record.sequence)
                for case .trade(let trade) in record.items(of: stream).map(\.subject) {
                    trades.append(StatedTrade(trade, place: taken))
                }
            }
            try page(trades)
        }
        return first
    }

    private func silence(_ consumer: FeedConsumer) -> CommandFailure {
        CommandFailure(
            consumer.status.refusal?.printable
                ?? "the feed at \(feed.text.printable) does not answer. Is it running? 'settle engine --wal DIR' "
                + "starts one", exit: .unavailable)
    }
}
