import CommandKit
import Repository
import TradeModel

extension TradeStory {
    /// How a trade came in, as far as the books tell.
    enum Way {
        /// As a record of an engine whose output is followed here.
        case feed(stream: Identifier, record: Int64)
        /// In a message; where it was parked, its letter says from whom.
        case message(source: String?)
        /// As a row that waited until a worker took it up.
        case row

        /// As JSON calls it.
        var name: String {
            switch self {
            case .feed: "feed"
            case .message: "message"
            case .row: "row"
            }
        }
    }

    /// nil where nothing tells.
    var way: Way? {
        guard let trade else { return nil }
        if isOfFeed, let stream = trade.trade?.stream, let record = trade.trade?.sequence {
            return .feed(stream: stream, record: record)
        }
        if let source = letters.first(where: { $0.letter.isStored })?.letter.source {
            return source == "trades" ? .row : .message(source: source)
        }
        switch trade.status {
        // Both are the time of the transaction that wrote them.
        case .settled: return trade.settledAt == trade.receivedAt ? .message(source: nil) : .row
        case .pending: return .row
        case .failed: return nil
        }
    }

    /// A point on the way of a trade, with the time that a table has for it.
    struct Stage {
        let name: String
        let at: Timestamp
    }

    /// Oldest first, but for what its sender says, whose clock is another one.
    var stages: [Stage] {
        guard let trade else { return [] }
        var stages = [Stage(name: "received", at: trade.receivedAt)]
        for letter in letters where letter.letter.isStored {
            stages += letter.events.filter { ["parked", "retried"].contains($0.action) }
                .map { Stage(name: $0.action, at: $0.at) }
        }
        if trade.status == .settled, let batch { stages.append(Stage(name: "settled", at: batch.committedAt)) }
        stages.sort { $0.at < $1.at }
        let traded = trade.trade?.executedAt.map { Stage(name: "traded", at: $0) }
        return (traded.map { [$0] } ?? []) + stages
    }

    /// What the trade comes to before it is rounded down, and what that takes away; nil where nothing is.
    var rounding: (exact: String, away: String)? {
        guard let content = trade?.trade, let market,
            let quote = DecimalNumber.productRoundedDown(
                content.price, content.quantity, decimals: market.quote.decimals)
        else { return nil }
        let scale = content.price.scale + content.quantity.scale
        let (product, overflow) = content.price.coefficient.multipliedReportingOverflow(
            by: content.quantity.coefficient)
        guard scale > market.quote.decimals, !overflow, let exact = Amount(units: product),
            let rounded = DecimalNumber(quote, decimals: market.quote.decimals).amount(decimals: scale),
            let away = try? exact.subtracting(rounded), away > .zero
        else { return nil }
        return (exact.text(decimals: scale), away.text(decimals: scale))
    }
}
