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
        let json: JSONValue

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

    var stops: [Stop] { (pause.map { [$0] } ?? []) + halts.map(\.stop) }

    var haltedMarkets: JSONValue {
        .array(
            halts.map { market, stop in
                guard case .object(let pairs) = stop.json else { return .null }
                return .object([("market", .string(market.text))] + pairs)
            })
    }
}

extension Standstill.Stop {
    fileprivate init(_ queue: QueueControl) {
        words = QueuePaused(queue).description
        remedy = "settle queue resume"
        json = .circumstances(queue.changedAt, queue.actor, queue.reason)
    }

    fileprivate init(_ halt: MarketHalt) {
        words =
            "market \(halt.market) is halted" + (halt.since.map { " since \($0)" } ?? "")
            + (halt.actor.map { " by \($0)" } ?? "") + (halt.reason.map { $0.isEmpty ? "" : ": \($0)" } ?? "")
        remedy = "settle market resume \(halt.market) --reason '…'"
        json = .circumstances(halt.since, halt.actor, halt.reason)
    }
}

extension JSONValue {
    /// Since when something stands still, by whom and why.
    fileprivate static func circumstances(_ since: Timestamp?, _ actor: String?, _ reason: String?) -> JSONValue {
        ["since": .time(since), "actor": .string(actor), "reason": .string(reason)]
    }
}
