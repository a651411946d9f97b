import CommandKit
import Repository
import TradeModel

/// What a rebuild came to, for people and for programs.
struct RebuildReport {
    private let rebuild: Rebuild
    private let account: Identifier?
    private let schema: ScratchSchema?

    init(_ rebuild: Rebuild, account: Identifier?, schema: ScratchSchema?) {
        self.rebuild = rebuild
        self.account = account
        self.schema = schema
    }

    func print(to output: Output) throws {
        try output.show([
            "clean": .bool(rebuild.isClean), "account": .id(account), "balances": .count(rebuild.balances),
            "entries": .count(rebuild.entries), "trades": .count(rebuild.trades),
            "operations": .count(rebuild.operations), "schema": .string(schema?.name),
            "difference_count": .count(rebuild.differenceCount),
            "differences": .array(rebuild.differences.map(\.json)),
        ]) {
            if !rebuild.isClean { try output.print(table) }
            try output.line(summary)
        }
        if let schema { output.note("the result is in \(schema.name).balances and \(schema.name).ledger_sums") }
        guard !rebuild.isClean else { return }
        if rebuild.differenceCount > rebuild.differences.count {
            output.note("only the first \(rebuild.differences.count.grouped) are listed")
        }
        output.note(
            "nothing was changed: this program never edits a balance or an entry. 'settle verify' says which "
                + "invariants are broken. Restore the database from before the damage; or, where the money itself is "
                + "to move, put it on the record: 'settle deposit' or 'settle withdraw' with an id that says why")
    }

    private var table: Table {
        var table = Table(
            "ACCOUNT", "ASSET", "FIGURE", Table.Column("STANDS", .right), Table.Column("REBUILT", .right),
            Table.Column("DIFFERENCE", .right))
        for difference in rebuild.differences {
            table.add(
                "\(difference.account)", "\(difference.asset)", .init(difference.figure.words),
                .init(difference.standing ?? "-"), .init(difference.rebuilt), .init(difference.change))
        }
        return table
    }

    private var summary: String {
        let what =
            "\(rebuild.balances.counted("balance")) from "
            + "\(rebuild.entries.counted("ledger entry", plural: "ledger entries")), these from "
            + "\(rebuild.trades.counted("settled trade")) and \(rebuild.operations.counted("operation"))"
        return rebuild.isClean
            ? "Balances and ledger match: \(what)."
            : "\(rebuild.differenceCount.counted("difference")) in \(what)."
    }
}

extension Rebuild.Difference {
    fileprivate var json: JSONValue {
        [
            "account": .string(account), "asset": .string(asset), "figure": .string(figure.rawValue),
            "stands": .string(standing), "rebuilt": .string(rebuilt), "difference": .string(change),
        ]
    }
}

extension Rebuild.Difference.Figure {
    fileprivate var words: String {
        switch self {
        case .available, .frozen, .version: rawValue
        case .traded: "entries of trades"
        case .moved: "entries of operations"
        case .held: "entries of operations, frozen"
        }
    }
}
