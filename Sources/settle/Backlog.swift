import CommandKit
import Repository
import ServiceKit
import TradeModel

/// What waits: trades for a worker, and dead letters for an operator.
struct Backlog {
    let waiting: WaitingTrades
    let letters: BoundedCount

    var trades: BoundedCount { waiting.count }

    init(trades: Rows, letters: Rows) {
        waiting = TradeStore.decodeWaiting(trades)
        self.letters = DeadLetterStore.decodeCountOpen(letters)
    }

    var pairs: [(key: String, value: JSONValue)] {
        trades.pairs("pending") + [("oldest_pending_at", .time(waiting.oldest))] + letters.pairs("open_letters")
    }

    func print(to output: Output) throws {
        let age = waiting.age.map { ", the oldest for \($0.inLargestUnit)" } ?? ""
        try output.line("waiting  \(trades.text("trade"))\(age)")
        try output.line("letters  \(letters.text("open dead letter"))")
    }
}

extension BoundedCount {
    /// `37`, or `10,000+` where there are more than were counted.
    var text: String { value.grouped + (hasMore ? "+" : "") }

    /// `10,000+ trades`, `1 trade`.
    func text(_ noun: String, plural: String? = nil) -> String {
        "\(text) \(value == 1 && !hasMore ? noun : plural ?? noun + "s")"
    }

    func pairs(_ name: String) -> [(key: String, value: JSONValue)] {
        [(name, .count(value)), ("\(name)_has_more", .bool(hasMore))]
    }
}

extension Duration {
    /// In whole days, hours, minutes or seconds, whichever is the largest: `3h`.
    var inLargestUnit: String {
        let seconds = components.seconds
        for (unit, length) in [("d", 86_400), ("h", 3_600), ("m", 60)] as [(String, Int64)] where seconds >= length {
            return "\(seconds / length)\(unit)"
        }
        return "\(seconds)s"
    }
}
