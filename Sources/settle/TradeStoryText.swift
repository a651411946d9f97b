import CommandKit
import Repository
import TradeModel

/// A trade's story as a support person reads it to a customer.
struct TradeStoryText {
    let story: TradeStory
    /// What each side gives, and has for it now; of a trade that is not settled.
    let needs: [TradeNeed]
    /// Open letters of later trades that lack what this one would have brought; at most one more than are counted.
    let funded: [DeadLetter]
    /// What a trade says that is parked.
    let funder: Trade?

    var title: String {
        guard let trade = story.trade else { return "\(story.key) was not stored: it could not be settled as it is." }
        return switch trade.status {
        case .settled: "\(story.key) is settled\(story.reversal == nil ? "" : ", and was reversed")."
        case .pending: "\(story.key) waits to be settled."
        case .failed: "\(story.key) failed and is parked."
        }
    }

    var paragraphs: [[String]] {
        [what, times, reversal, waiting, failure, consequences, money, history].filter { !$0.isEmpty }
    }

    // MARK: What it says

    private var what: [String] {
        guard let recorded = story.trade else { return letterContent }
        guard let trade = recorded.trade else { return ["What it says cannot be read as a trade."] }
        let (base, quote) = (trade.market.base, trade.market.quote)
        let verb = recorded.status == .settled ? "bought" : "is to buy"
        var lines = [
            "\(trade.buyer) \(verb) \(trade.quantity) \(base) from \(trade.seller) at \(trade.price) \(quote)."
        ]
        if let market = story.market,
            let total = DecimalNumber.productRoundedDown(trade.price, trade.quantity, decimals: market.quote.decimals)
        {
            let rounding = story.rounding.map { ", rounded down from \($0.exact), which is \($0.away) more" } ?? ""
            lines.append("\(trade.price) × \(trade.quantity) = \(market.quote.text(total))\(rounding).")
            lines.append(fees(trade, market))
        }
        if let order = trade.buyOrder { lines.append("The buyer's order is \(order).") }
        if let order = trade.sellOrder { lines.append("The seller's order is \(order).") }
        return lines
    }

    private func fees(_ trade: Trade, _ market: Market) -> String {
        guard trade.buyerFee != .zero || trade.sellerFee != .zero else { return "No fees." }
        let (asset, rule) =
            market.feeRule == .received
            ? (market.base, "each side pays from what it receives")
            : (market.quote, "both sides pay in \(market.quote.symbol)")
        return
            "Fees: the buyer \(fee(trade.buyerFee, asset)), the seller \(fee(trade.sellerFee, market.quote)); \(rule)."
    }

    private func fee(_ fee: DecimalNumber, _ asset: Asset) -> String {
        guard let amount = fee.amount(decimals: asset.decimals) else { return "\(fee) \(asset.symbol)" }
        return amount.isNegative ? "is paid \(asset.text(amount.negated))" : asset.text(amount)
    }

    private var letterContent: [String] {
        guard let letter = story.letters.last?.letter, let buyer = letter.buyer, let seller = letter.seller else {
            return []
        }
        guard let payload = letter.payload,
            case .trade(let trade) = LetterContents.item(payload, source: letter.source).subject
        else { return ["\(buyer) was to buy from \(seller)."] }
        let (base, quote) = (trade.market.base, trade.market.quote)
        return ["\(buyer) was to buy \(trade.quantity) \(base) from \(seller) at \(trade.price) \(quote)."]
    }

    // MARK: When

    private var times: [String] {
        guard let recorded = story.trade else { return [] }
        var lines: [String] = []
        if let executed = recorded.trade?.executedAt { lines.append("traded    \(executed), as its sender says") }
        // A retry puts it at the end of the line.
        let wasRetried = story.letters.contains { $0.letter.isStored && $0.events.contains { $0.action == "retried" } }
        let number = "number \(recorded.receivedSequence)"
        let place =
            !wasRetried ? "as \(number)" : story.waiting == nil ? "\(number) since its retry" : "now \(number) in line"
        lines.append("received  \(recorded.receivedAt), \(place)")
        if let way = way(recorded.trade) { lines.append("          " + way) }
        if let batch = story.batch {
            let verb = recorded.status == .settled ? "settled " : "failed  "
            let others = batch.trades - (recorded.status == .settled ? 1 : 0)
            let company =
                recorded.status != .settled || others == 0
                ? "" : " together with \(others.counted("other trade"))"
            // Of what was parked its letter has the time, which all views tell.
            let parkedAt = story.letters.last?.events.last { $0.action == "parked" }?.at
            let time = recorded.status == .settled ? batch.committedAt : parkedAt ?? batch.committedAt
            lines.append("\(verb)  \(time), \(waited(until: time, since: recorded.receivedAt))")
            lines.append("          by \(worker(batch)), in batch \(batch.number)\(company)")
            lines.append("          which is transaction \(batch.transaction) of the database")
            if let seal = batch.seal { lines.append("          under seal \(seal)") }
        }
        if recorded.attempts > 1 { lines.append("tried     \(recorded.attempts.grouped) times") }
        // Where there is more to it than the way from its arrival to its end.
        let stages = story.stages.filter { $0.name != "traded" }
        if stages.count > 2 {
            let steps = zip(stages, stages.dropFirst()).map { "\($1.name) \(waited(until: $1.at, since: $0.at))" }
            lines.append("steps     " + steps.joined(separator: ", "))
        }
        return lines
    }

    private func way(_ trade: Trade?) -> String? {
        let stream = trade?.stream.map { stream in
            "stream \(stream)" + (trade?.sequence.map { " as its number \($0)" } ?? "")
        }
        switch story.way {
        case .feed(let stream, let record): return "by the feed of engine \(stream), as its record \(record)"
        case .message(let source?): return "in a message from \(source)" + (stream.map { ", of \($0)" } ?? "")
        case .message(nil): return "in a message, and settled as it was stored" + (stream.map { "; of \($0)" } ?? "")
        case .row: return "as a row that waited for a worker" + (stream.map { ", of \($0)" } ?? "")
        case nil: return stream.map { "of \($0)" }
        }
    }

    private func waited(until end: Timestamp, since start: Timestamp) -> String {
        let milliseconds = max(0, (end.microseconds - start.microseconds) / 1_000)
        return "after \(milliseconds < 1 ? "less than 1ms" : Duration.milliseconds(milliseconds).argumentText)"
    }

    // MARK: Taken back

    private var reversal: [String] {
        let refusals = story.reversalRefusals.reversed().map {
            "Not reversed at \($0.at), as \($0.actor) wanted (\($0.reason)): \($0.because)."
        }
        guard let reversal = story.reversal else { return refusals }
        return refusals + [
            "Reversed at \(reversal.at) by \(reversal.actor), in batch \(reversal.batch): \(reversal.reason)."
        ]
    }

    private func worker(_ batch: TradeStory.Batch) -> String {
        guard let number = batch.worker else { return "a command" }
        let place = batch.host.map { host in " (\(host)\(batch.processID.map { ", process \($0)" } ?? ""))" }
        return "worker \(number)\(place ?? "")"
    }

    // MARK: Why not yet, or why not

    private var waiting: [String] {
        guard let waiting = story.waiting else { return [] }
        var lines: [String] = []
        lines.append(
            waiting.ahead.value == 0
                ? "It is the first in line."
                : waiting.ahead.text("trade waits", plural: "trades wait") + " before it.")
        lines += story.standstill.stops().map { $0.words.prefix(1).uppercased() + $0.words.dropFirst() + "." }
        if let worker = waiting.claimedBy, waiting.claimIsAlive {
            lines.append("Worker \(worker) has taken it up.")
        } else if let worker = waiting.claimedBy {
            lines.append("Worker \(worker), which had taken it up, is silent; any other may take it now.")
        }
        if let time = waiting.notBefore, time > waiting.now {
            lines.append("It was put back until \(time), since an older trade may bring what it lacks.")
        }
        if let older = waiting.older { lines.append("An older trade of its accounts waits too: \(older).") }
        if waiting.workersAlive == 0 { lines.append("No worker is running.") }
        return lines
    }

    private var failure: [String] {
        // Beside a stored trade there may be letters of others that had its id.
        let own = story.letters.last { story.trade == nil || $0.letter.isStored && story.trade?.status == .failed }
        guard let letter = own?.letter, letter.status == .open else { return [] }
        return ["It failed for \(letter.failureClass): \(letter.message)."]
    }

    /// What was parked later and lacks what this trade would have brought.
    private var consequences: [String] {
        guard !funded.isEmpty, let trade = funder else { return [] }
        let count = min(funded.count, LetterStory.relatedCountMax)
        let number = funded.count > count ? "\(count.grouped)+" : count.grouped
        let verb = funded.count == 1 ? "later trade is parked and lacks" : "later trades are parked and lack"
        return [
            "It would have brought \(trade.buyer) \(trade.market.base) and \(trade.seller) \(trade.market.quote): "
                + "\(number) \(verb) what was to come of it."
        ] + funded.prefix(LetterStory.relatedMax).map { "  dead letter \($0.number), \($0.name): \($0.message)" }
            + (funded.count > LetterStory.relatedMax ? ["  …"] : [])
    }

    /// What each side has now for what it gives.
    private var money: [String] {
        needs.map { need in
            let who = "\(need.side.rawValue) \(need.account)"
            guard need.isKnown else { return "Now: there is no account \(need.account) (the \(need.side.rawValue))." }
            let line = need.creditLine > .zero ? " and a credit line of \(need.asset.text(need.creditLine))" : ""
            let held = need.held > .zero ? " and \(need.asset.text(need.held)) held for its order" : ""
            let verdict = need.missing > .zero ? "\(need.asset.text(need.missing)) missing" : "enough"
            return
                "Now: \(who) needs \(need.asset.text(need.needed)), "
                + "has \(need.asset.text(need.available)) available\(line)\(held): \(verdict)."
        }
    }

    // MARK: What was done about it

    private var history: [String] {
        story.letters.flatMap { letter, events in
            ["Dead letter \(letter.number), \(letter.status.rawValue), received from \(letter.source):"]
                + events.map { "  \($0.at)  \($0.action) by \($0.actor): \($0.message)" }
        }
    }
}
