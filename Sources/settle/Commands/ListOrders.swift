import CommandKit
import EngineHost
import TradeModel

struct ListOrders: Command {
    static let info = CommandInfo(
        "list", summary: "List an account's orders that wait in the books, the oldest first.",
        discussion: """
            The engine looks through its open orders a part at a time, and trading goes on in between: one that is \
            amended just then may be missing.
            """,
        examples: [
            Example("settle order list 1001", ""),
            Example("settle order list 1001 --market BTC/USDT --json", "One market's, for a program."),
        ])

    @Argument("ACCOUNT", help: "Whose orders.") var account: Identifier
    @Option("--market", help: "Only those in this market.") var market: MarketSymbol?
    @Option("--limit", "N", help: "How many at most.", default: 50) var limit: Int
    @Option("--after", "ORDER", help: "Go on behind the page that ended with this.", default: 0) var after: Int64
    @Option(
        "--engine", help: "Where the engine takes orders.", environment: "SETTLE_ENGINE", default: .orders)
    var engine: Endpoint

    func validate() throws { try PageOptions.check(limit) }

    func run(_ context: Context) async throws {
        let access = try EngineAccess(engine)
        var found: [EngineAnswer.Order] = []
        var place: Int? = 0
        while let from = place {
            let answer = try await access.ask(.orders(account, market: market, after: after, from: from))
            guard answer.isKnown == true else {
                throw CommandFailure(
                    "the engine has no account \(account.text.printable); a first deposit opens it", exit: .notFound)
            }
            // They lie in no order, and only a page of them is kept.
            found = Array((found + (answer.orders ?? [])).sorted { $0.number < $1.number }.prefix(limit + 1))
            place = answer.next.flatMap { $0 > from ? $0 : nil }
        }
        let rows = found.prefix(limit)
        try context.output.list(rows.map(\.json), empty: "Account \(account.text.printable) has no such open order.") {
            var table = Table(
                Table.Column("ORDER", .right), "MARKET", "SIDE", Table.Column("PRICE", .right),
                Table.Column("QUANTITY", .right), Table.Column("LEFT", .right), Table.Column("HELD", .right), "")
            for row in rows {
                table.add(
                    "\(row.number)", "\(row.market)", "\(row.side)", "\(row.price)", "\(row.quantity)",
                    "\(row.remaining)", "\(row.held) \(row.heldAsset)", "\(row.postOnly ? "post-only" : "")")
            }
            return table
        }
        if found.count > rows.count, let last = rows.last { context.output.more(after: "\(last.number)") }
    }
}
