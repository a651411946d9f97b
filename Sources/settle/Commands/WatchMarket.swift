import CommandKit
import ServiceKit
import TradeFeed
import TradeModel

struct WatchMarket: Command {
    static let info = CommandInfo(
        "watch", summary: "Show what an engine tells everybody of its markets, as JSON, a line each.",
        discussion: """
            'settle engine --market-data ENDPOINT' tells trades without those who traded, changes of the books, and each \
            market at a glance. Who listens too slowly misses some of it; each book is told whole every five seconds.
            """,
        examples: [
            Example("settle market watch BTC/USDT --kind trade --for 2s", "Trades of one market as they happen."),
            Example("settle market watch --limit 100 --for 2s", "A hundred lines of whatever there is, if they come."),
        ])

    @Argument("MARKET", help: "Only this market. (default: all)") var market: MarketSymbol?
    @Option("--kind", "KIND,KIND", help: "Only this.", default: CommaList(MarketMessageName.allCases))
    var kinds: CommaList<MarketMessageName>
    @Option("--for", help: "Stop after so long.") var time: Duration?
    @Option("--limit", "N", help: "Stop after so many lines.") var limit: Int?
    @Option(
        "--market-data", help: "Where the engine tells of its markets.", environment: "SETTLE_MARKET_DATA",
        default: .marketData)
    var endpoint: Endpoint

    private static let patience = Duration.seconds(1)

    func validate() throws {
        if let limit, limit < 1 { throw UsageError("'--limit' is a number from 1 on, not \(limit)") }
    }

    func run(_ context: Context) async throws {
        // ZeroMQ looks at beginnings alone, and one market's name may begin another's.
        let subjects = kinds.elements.map { MarketMessage.subject($0.kind, market?.text ?? "") }
        let listener = try MarketListener(endpoint: endpoint.text, subjects: subjects)
        context.output.note("listening to \(endpoint.text)")
        let signals = StopSignals(first: { listener.stop() }, second: { listener.stop() })
        defer { signals.letGo() }
        let end = time.map { ContinuousClock.now + $0 }
        var shown = 0
        while shown < limit ?? .max, end.map({ .now < $0 }) ?? true, !listener.isStopped {
            let patience = end.map { min(Self.patience, ContinuousClock.now.duration(to: $0)) } ?? Self.patience
            guard let message = try await listener.next(within: patience) else { continue }
            guard market == nil || message.market == market?.text else { continue }
            try context.output.line(String(decoding: message.json, as: UTF8.self).printable)
            try context.output.flush()
            shown += 1
        }
    }
}

/// What is told of markets, as typed.
enum MarketMessageName: String, ArgumentValue, CaseIterable {
    case trade, book, ticker

    var kind: MarketMessage.Kind { MarketMessage.Kind(rawValue: rawValue)! }
}
