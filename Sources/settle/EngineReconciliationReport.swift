import CommandKit
import Repository
import TradeModel

/// What a comparison of an engine with the ledger came to, for people and for programs.
struct EngineReconciliationReport {
    private let result: EngineReconciliation.Result
    private let job: Int64
    private let trades: TradeReconciliationReport?

    private var comparison: BalanceComparison { result.comparison }
    private var found: BalanceReconciliation { comparison.found }

    /// - Parameter trades: what the comparison of the trades came to, if they were compared.
    init(_ result: EngineReconciliation.Result, job: Int64, trades: TradeReconciliationReport?) {
        self.result = result
        self.job = job
        self.trades = trades
    }

    func print(to output: Output) throws {
        try output.show([
            "clean": .bool(found.differenceCount == 0 && trades?.isClean ?? true), "stream": .id(found.stream),
            "sequence": .count(found.sequence),
            "hash": .string(result.hash), "engine_sequence": .count(result.engineSequence),
            "watermark": .count(found.watermark), "job": .count(job),
            "accounts": .count(found.accountCount), "balances": .count(found.balanceCount),
            "skipped_records": .count(result.skippedCount), "difference_count": .count(found.differenceCount),
            "differences": .array(found.differences.map(json)),
            "unknown_accounts": .count(Int64(comparison.unknown.count)), "trades": trades?.json ?? .null,
        ]) {
            if !found.differences.isEmpty { try output.print(table) }
            try output.line(summary)
            try trades?.printText(to: output)
        }
        trades?.advise(output)
        if found.differenceCount > found.differences.count {
            output.note("only the first \(found.differences.count.grouped) are listed")
        }
        let skippedCount = result.skippedCount
        if skippedCount > 0, found.differenceCount > 0 {
            output.note(
                "\(skippedCount.counted("record")) of the stream \(skippedCount == 1 ? "was" : "were") skipped, which "
                    + "the books never saw: 'settle feed gaps' says which")
        }
    }

    private var table: Table {
        var table = Table(
            "ACCOUNT", "ASSET", "BALANCE", Table.Column("ENGINE", .right), Table.Column("LEDGER", .right),
            Table.Column("DIFFERENCE", .right), Table.Column("EXPLAINED BY", wraps: true))
        for difference in found.differences {
            for (name, engine, ledger) in [
                ("available", difference.engine.available, difference.ledger.available),
                ("held", difference.engine.held, difference.ledger.held),
            ] where engine != ledger {
                table.add(
                    "\(difference.account)", "\(difference.asset)", "\(name)",
                    .init(engine.text(decimals: difference.decimals)),
                    .init(ledger.text(decimals: difference.decimals)), .init(Self.change(engine, ledger, difference)),
                    .init(difference.explanation ?? "-"))
            }
        }
        return table
    }

    private var summary: String {
        let all =
            "\(found.balanceCount.counted("balance")) of \(found.accountCount.counted("account"))"
            + (comparison.hasHouse ? " and the house" : "")
        let place = "at record \(found.sequence.grouped) of stream \(found.stream.text.printable)"
        return found.differenceCount == 0
            ? "The engine and the ledger agree \(place): \(all)."
            : "\(found.differenceCount.counted("difference")) \(place), in \(all)."
    }

    /// What the ledger has more than the engine.
    private static func change(_ engine: Amount, _ ledger: Amount, _ difference: BalanceReconciliation.Difference)
        -> String
    {
        (try? ledger.subtracting(engine))?.text(decimals: difference.decimals) ?? "?"
    }

    private func json(_ difference: BalanceReconciliation.Difference) -> JSONValue {
        func text(_ amount: Amount) -> JSONValue { .string(amount.text(decimals: difference.decimals)) }
        let (engine, ledger) = (difference.engine, difference.ledger)
        let trades = difference.kind == .customer ? comparison.openTrades[difference.account] ?? [] : []
        return [
            "kind": .string(difference.kind.rawValue), "account": .id(difference.account),
            "asset": .string(difference.asset.text), "engine_available": text(engine.available),
            "ledger_available": text(ledger.available), "engine_held": text(engine.held),
            "ledger_held": text(ledger.held),
            "available_difference": .string(Self.change(engine.available, ledger.available, difference)),
            "held_difference": .string(Self.change(engine.held, ledger.held, difference)),
            "letters": .array(trades.compactMap { $0.letter.map { .count($0) } }),
            "waiting": .array(trades.filter { $0.letter == nil }.map { .string("\($0.market):\($0.id)") }),
            "explanation": .string(difference.explanation),
        ]
    }
}
