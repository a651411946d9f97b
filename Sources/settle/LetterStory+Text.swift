import CommandKit
import Repository
import TradeModel

extension LetterStory {
    /// Tells it to a person: what it is, why, the money, what hangs on it, what happened, what to do.
    func tell(_ output: Output) throws {
        try output.line(output.styled("dead letter \(letter.number), \(letter.status.rawValue)", .bold) + ": \(title)")
        try output.line("class    \(letter.failureClass.printable)")
        try output.line("why      \(letter.message.printable)")
        try output.line("from     \(letter.source.printable), parked at \(letter.parkedAt)")
        if let trade {
            try output.line(
                ("trade    \(trade.buyer) buys \(trade.quantity) \(trade.market.base) "
                    + "at \(trade.price) \(trade.market.quote) from \(trade.seller)").printable)
        }
        if let status = letter.tradeStatus { try output.line("stands   \(standing(status))") }
        try output.line("payload  \(versions[0].excerpt)")
        try tellVersions(output)
        try tellMoney(output)
        try tellRelated(output)
        try output.line("history")
        for event in events { try output.line("  \(event.line.printable)") }
        try output.line()
        for line in advice.lines { try output.line(line.printable) }
    }

    private var title: String { letter.name.printable }

    private func standing(_ status: TradeStatus) -> String {
        let batch = recorded?.batch.map { " in batch \($0)" } ?? ""
        let attempts =
            switch letter.attempts {
            case 0: "never tried"
            case 1: "tried once"
            default: "tried \(letter.attempts.grouped) times"
            }
        switch status {
        case .settled where letter.failureClass == FailureClass.conflict.rawValue && !letter.isStored:
            return "the other trade of this id is SETTLED\(batch)"
        case .settled: return "SETTLED\(batch)" + (recorded?.settledAt.map { " at \($0)" } ?? "")
        case .failed where !letter.isStored: return "the other trade of this id is FAILED"
        case .failed: return "FAILED, \(attempts)"
        case .pending: return "PENDING"
        }
    }

    private func tellVersions(_ output: Output) throws {
        for version in versions {
            guard let edit = version.edit else { continue }
            try output.line("edited   \(version.excerpt)")
            try output.line(
                "         version \(version.number), by \(edit.actor.printable) at \(edit.at): \(edit.reason.printable)"
            )
        }
    }

    private func tellMoney(_ output: Output) throws {
        guard !sides.isEmpty else { return }
        try output.line()
        var table = Table(
            "TO GIVE", "ASSET", Table.Column("NEEDED", .right), Table.Column("THEN", .right),
            Table.Column("NOW", .right), Table.Column("HELD NOW", .right), Table.Column("MISSING NOW", .right))
        let knowsThen = letter.shortfall != nil
        if !knowsThen { table.columns.remove(at: 3) }
        for side in sides {
            func text(_ amount: Amount) -> String { amount.text(decimals: side.asset.decimals) }
            var cells: [Table.Cell] = [
                "\(side.side.rawValue) \(side.account.text)", "\(side.asset.symbol.text)", "\(text(side.needed))",
                "\(availableThen(side).map(text) ?? "-")",
                "\(side.isKnown ? text(side.available) : "no account")", "\(text(side.held))",
                "\(text(side.missing))",
            ]
            if !knowsThen { cells.remove(at: 3) }
            table.add(cells)
        }
        try output.print(table)
        try output.line()
    }

    private func tellRelated(_ output: Output) throws {
        if !funders.isEmpty, let shortfall = letter.shortfall {
            try output.line(
                "would have been funded by earlier trades that are parked, which bring "
                    + "\(shortfall.account.text.printable) \(shortfall.asset.symbol)")
            for other in funders { try output.line("  dead letter \(other.number), \(other.name.printable)") }
        }
        guard !funded.isEmpty else { return }
        let count = min(funded.count, Self.relatedCountMax)
        let words =
            (funded.count > count
                ? "\(count.grouped)+ later trades are" : count.counted("later trade is", plural: "later trades are"))
            + " parked for want of what this one would have brought"
        try output.line(words)
        for other in funded.prefix(Self.relatedMax) {
            try output.line("  dead letter \(other.number), \(other.name.printable): \(other.message.printable)")
        }
        if funded.count > Self.relatedMax { try output.line("  …") }
    }
}

extension LetterEvent {
    /// `2026-01-02T03:04:05Z  parked by worker 3: …`.
    fileprivate var line: String {
        let state = sqlState.map { " (SQLSTATE \($0))" } ?? ""
        let failure = action == "parked" || action == "refused" ? failureClass.map { " as \($0)" } ?? "" : ""
        return "\(at)  \(action)\(failure) by \(actor): \(message)\(state)"
    }
}

extension LetterVersion {
    /// The text for a terminal, which a message of a megabyte would bury.
    fileprivate var excerpt: String {
        let lengthMax = 4_000
        guard payload.count > lengthMax else { return text.printable }
        return text.prefix(lengthMax).description.printable
            + "… (\(payload.count.grouped) bytes; --json has all of them)"
    }

    /// Whether it is text; otherwise it is shown as hexadecimal digits.
    var isText: Bool { String(validating: payload, as: UTF8.self) != nil }

    var text: String {
        String(validating: payload, as: UTF8.self)
            ?? payload.map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16) }.joined()
    }
}
