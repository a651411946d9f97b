import CommandKit
import Repository
import TradeModel

struct GiveCredit: Command {
    static let info = CommandInfo(
        "credit", summary: "Set how far an account may go below zero in an asset.",
        discussion: """
            With a credit line of 100, what is available may fall to -100. Zero takes the line away. It cannot be set \
            below what is used of it.
            """,
        examples: [
            Example("settle account credit 1001 50000 USDT --reason 'market maker'", "Up to 50,000 below zero."),
            Example("settle account credit 1001 0 USDT --reason 'contract ended'", "No credit any more."),
        ])

    @Argument("ACCOUNT", help: "Whose.") var id: Identifier
    @Argument("AMOUNT", help: "How far below zero; 0 for no credit.") var amount: DecimalNumber
    @Argument("ASSET", help: "In what.") var symbol: AssetSymbol
    @OptionGroup("Options") var action: ActionOptions

    func run(_ context: Context) async throws {
        let database = try Database(context)
        defer { database.leave() }
        let connection = try database.connect()
        let asset = try CatalogStore.read(connection).known(symbol)
        guard let line = amount.amount(decimals: asset.decimals), !line.isNegative else {
            throw UsageError(
                "AMOUNT is zero or more, and has at most the \(asset.decimals.counted("decimal")) of \(symbol); "
                    + "\(amount) does not fit")
        }
        let dryRun = action.dryRun
        let before: Amount
        do {
            before = try AccountActions.setCreditLine(
                line, asset, of: id, actor: operatorName, reason: action.reason, on: connection, dryRun: dryRun)
        } catch {
            throw error.failure(of: id, "given less credit")
        }
        try context.output.show([
            "account": .id(id), "asset": .string(symbol.text),
            "credit_line": .string(line.text(decimals: asset.decimals)),
            "before": .string(before.text(decimals: asset.decimals)),
            dryRun ? "would_change" : "changed": .bool(before != line),
        ]) {
            let name = "account \(id.text.printable)"
            let would = dryRun ? "would have" : "has"
            let what = line == .zero ? "no credit in \(symbol)" : "a credit line of \(asset.text(line))"
            try context.output.line(
                before == line
                    ? "\(name) has \(what) already" : "\(name) \(would) \(what), before \(asset.text(before))")
        }
    }
}
