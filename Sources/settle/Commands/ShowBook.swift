import CommandKit
import EngineHost
import TradeModel

struct ShowBook: Command {
    static let info = CommandInfo(
        "book", summary: "Show what waits in a market's book, the best prices first.",
        examples: [Example("settle book BTC/USDT", ""), Example("settle book BTC/USDT --levels 3 --json", "")])

    @Argument("MARKET", help: "Which market.") var market: MarketSymbol
    @Option("--levels", "N", help: "How many prices of each side at most.", default: 10) var levels: Int
    @Option(
        "--engine", help: "Where the engine takes orders.", environment: "SETTLE_ENGINE", default: .orders)
    var engine: Endpoint

    func validate() throws {
        guard (1...EngineQuery.levelsMax).contains(levels) else {
            throw UsageError("'--levels' is a whole number from 1 to \(EngineQuery.levelsMax), not \(levels)")
        }
    }

    func run(_ context: Context) async throws {
        let answer = try await EngineAccess(engine).ask(.book(market, levels: levels))
        guard let book = answer.book else {
            throw CommandFailure("the engine has no market \(market)", exit: .notFound)
        }
        func json(_ levels: [EngineAnswer.Level]) -> JSONValue {
            .array(
                levels.map {
                    .object([
                        ("price", .string($0.price)), ("quantity", .string($0.quantity)),
                        ("orders", .integer($0.orders)),
                    ])
                })
        }
        try context.output.show([
            "market": .string(book.market), "sequence": .count(answer.sequence), "asks": json(book.asks),
            "bids": json(book.bids),
        ]) {
            var table = Table("SIDE", Table.Column("PRICE", .right), Table.Column("QUANTITY", .right), "ORDERS")
            // As in a book: sellers above, buyers below, the best of both in the middle.
            for level in book.asks.reversed() {
                table.add("ask", "\(level.price)", "\(level.quantity)", "\(level.orders)")
            }
            for level in book.bids { table.add("bid", "\(level.price)", "\(level.quantity)", "\(level.orders)") }
            if book.asks.isEmpty, book.bids.isEmpty {
                try context.output.line("Nothing waits in \(market).")
            } else {
                try context.output.print(table)
            }
        }
    }
}
