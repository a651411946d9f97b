import Foundation
import ServiceKit
import TradeFeed
import TradeModel

/// Tells whoever listens what may be known of markets: trades as they happen, the books ten times a second where they
/// changed, and each market at a glance once a second.
///
/// It follows the engine's feed as anybody might, and asks the engine for its books: it costs the engine next to
/// nothing, and the engine never waits for it.
public actor MarketDataPublisher {
    private static let bookInterval = Duration.milliseconds(100)
    private static let tickerInterval = Duration.seconds(1)
    /// How often all levels are told, for those who came later or missed something.
    private static let wholeInterval = Duration.seconds(5)
    private static let pause = Duration.seconds(1)
    private static let levelCount = 20

    private let orders: String
    private let feed: String
    private let socket: MarketPublisherSocket
    private let log: Log
    /// Where a port was left open, the one that was chosen.
    public nonisolated let endpoint: String

    /// - Parameters:
    ///   - orders: where the engine answers.
    ///   - feed: where it publishes its records.
    ///   - endpoint: where to listen for listeners.
    public init(orders: String, feed: String, endpoint: String, log: Log) throws(SocketFailure) {
        self.orders = orders
        self.feed = feed
        self.log = log
        let socket = try MarketPublisherSocket(endpoint: endpoint)
        self.endpoint = socket.endpoint
        self.socket = socket
    }

    /// Publishes until it is cancelled. What cannot be had is tried again: an engine that is away, or does not lead.
    public func run() async {
        while !Task.isCancelled {
            do { try await publish() } catch is CancellationError { return } catch {
                log.warning("market data pause", ["reason": "\(error)"])
            }
            try? await Task.sleep(for: Self.pause)
        }
    }

    private func publish() async throws {
        let client = try EntryClient(endpoint: orders)
        let beginning = try await ask(client, .markets)
        // Nothing happens here before it leads, and what is told then is to be new.
        guard beginning.standing?.role != .following else { return }
        var watch = MarketWatch(
            markets: (beginning.markets ?? []).compactMap { MarketSymbol($0) }, since: Timestamp.now)
        // From the newest record on: nothing of the past is told.
        let consumer = try FeedConsumer(
            endpoint: feed,
            start: .onlooker("market-data", after: beginning.sequence, hash: nil))
        let running = Task { try await consumer.run() }
        defer { running.cancel() }
        let clock = ContinuousClock()
        var (booksAt, tickersAt, wholeAt) = (clock.now, clock.now, clock.now + Self.wholeInterval)
        while let run = try await consumer.next(within: Self.bookInterval) {
            try Task.checkCancellation()
            for bytes in run.records {
                let record = try Array(bytes).withUnsafeBytes { try EngineOutput(bytes: $0) }
                for message in watch.take(record) { try socket.send(message) }
            }
            let now = clock.now
            let whole = now >= wholeAt
            if now >= booksAt {
                booksAt = now + Self.bookInterval
                if whole { wholeAt = now + Self.wholeInterval }
                for market in watch.touched.union(whole ? watch.markets : []) {
                    let answer = try await ask(client, .book(market, levels: Self.levelCount))
                    if let message = watch.book(market, answer, whole: whole) { try socket.send(message) }
                }
            }
            if now >= tickersAt {
                tickersAt = now + Self.tickerInterval
                for message in watch.tickers() { try socket.send(message) }
            }
        }
    }

    private func ask(_ client: EntryClient, _ query: EngineQuery) async throws -> EngineAnswer {
        let answer = try await client.query(Array(JSONEncoder().encode(query)))
        return try JSONDecoder().decode(EngineAnswer.self, from: Data(answer))
    }
}
