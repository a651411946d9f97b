import CommandKit
import Repository
import SettlementWorkers
import TradeModel

/// What operators have stopped, so that trades wait and nothing is wrong: the queue, and markets.
struct Standstill {
    /// One thing that was stopped, and the command that lets it go on.
    struct Stop {
        /// `the queue is paused since 2026-01-02T03:04:05Z by eve: maintenance`.
        let words: String
        let remedy: String
        /// Since when, by whom and why.
        let pairs: [(key: String, value: JSONValue)]

        var json: JSONValue { .object(pairs) }
        var line: String { "\(words). Next: \(remedy)" }
    }

    let pause: Stop?
    let halts: [(market: MarketSymbol, stop: Stop)]

    init(_ queue: QueueControl?, _ halts: [MarketHalt]) {
        pause = queue.flatMap { $0.isPaused ? Stop($0) : nil }
        self.halts = halts.map { ($0.market, Stop($0)) }
    }

    static func read(_ connection: PostgresConnection) throws -> Standstill {
        let answers = try connection.pipeline([QueueControlStore.read, MarketStore.halts()])
        return Standstill(QueueControlStore.decode(answers[0]), MarketStore.decodeHalts(answers[1]))
    }

    /// What holds up the trades of some markets, or of all.
    func stops(in markets: Set<MarketSymbol>? = nil) -> [Stop] {
        (pause.map { [$0] } ?? []) + halts.filter { markets?.contains($0.market) ?? true }.map(\.stop)
    }

    var haltedMarkets: JSONValue {
        .array(halts.map { .object([("market", .string($0.market.text))] + $0.stop.pairs) })
    }
}

extension Standstill.Stop {
    fileprivate init(_ queue: QueueControl) {
        words = QueuePaused(queue).description
        remedy = "settle queue resume"
        pairs = Self.circumstances(queue.changedAt, queue.actor, queue.reason)
    }

    fileprivate init(_ halt: MarketHalt) {
        words =
            "market \(halt.market) is halted" + (halt.circumstances.isEmpty ? "" : " ") + halt.circumstances
        remedy = Self.remedy(of: halt.market)
        pairs = Self.circumstances(halt.since, halt.actor, halt.reason)
    }

    static func remedy(of market: MarketSymbol) -> String { "settle market resume \(market) --reason '…'" }

    private static func circumstances(
        _ since: Timestamp?, _ actor: String?, _ reason: String?
    ) -> [(key: String, value: JSONValue)] {
        [("since", .time(since)), ("actor", .string(actor)), ("reason", .reason(reason))]
    }
}

extension MarketHalt {
    /// `since 2026-01-02T03:04:05Z by eve: wrong prices`; empty where nobody has left a record of it.
    var circumstances: String {
        guard let since, let actor else { return "" }
        return "since \(since) by \(actor)" + (reason.map { $0.isEmpty ? "" : ": \($0)" } ?? "")
    }
}
