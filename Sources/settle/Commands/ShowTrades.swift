import CommandKit
import Repository
import TradeModel

struct ShowTrade: Command {
    static let info = CommandInfo(
        "show", summary: "Show a trade and where it stands.",
        examples: [
            Example("settle trade show 9001", "By its id."),
            Example("settle trade show BTC/USDT:9001", "Where the id occurs in two markets."),
        ])

    @Argument("TRADE", help: "Its id, or MARKET:ID.") var name: TradeName

    func run(_ context: Context) async throws {
        let database = try Database(context)
        defer { database.leave() }
        let found = TradeStore.decode(
            try database.connect().pipeline([TradeStore.find(name.id, in: name.market)])[0])
        guard let trade = found.first else {
            throw CommandFailure("there is no trade \(name.argumentText.printable)", exit: .notFound)
        }
        guard found.count == 1 else {
            let names = found.map { $0.key.description.printable }.joined(separator: ", ")
            throw CommandFailure("several trades have this id: \(names). Name one with its market.", exit: .usage)
        }
        try context.output.show(trade.json) {
            guard case .object(let pairs) = trade.json else { return }
            var table = Table("FIELD", "VALUE")
            for (key, value) in pairs where value != .null {
                if case .string(let text) = value {
                    table.add("\(key)", "\(text)")
                } else {
                    table.add("\(key)", "\(value.line)")
                }
            }
            try context.output.print(table)
        }
    }
}

struct ListTrades: Command {
    static let info = CommandInfo(
        "list", summary: "List trades in the order in which they came.",
        examples: [Example("settle trade list --status failed", "Those that are parked.")])

    @Option("--status", help: "Only PENDING, SETTLED or FAILED ones.") var status: TradeStatus?
    @Option("--market", help: "Only this market's.") var market: MarketSymbol?
    @Option("--since", "TIME", help: "Only those received from then on: 2026-01-02, 2026-01-02T03:04:05Z, or 30m ago.")
    var since: Timestamp?
    @Option("--limit", "N", help: "How many at most.", default: 50) var limit: Int
    @Option("--after", "CURSOR", help: "Go on behind the page that ended with this.", default: 0) var after: Int64

    func validate() throws {
        guard (1...100_000).contains(limit) else { throw UsageError("'--limit' is from 1 to 100000, not \(limit)") }
    }

    func run(_ context: Context) async throws {
        let database = try Database(context)
        defer { database.leave() }
        let rows = TradeStore.decode(
            try database.connect().pipeline([
                TradeStore.list(status: status, market: market, since: since, after: after, limit: limit + 1)
            ])[0])
        let page = rows.prefix(limit)
        try context.output.list(page.map(\.json), empty: "No such trades.") {
            var table = Table(
                "TRADE", "STATUS", Table.Column("PRICE", .right), Table.Column("QUANTITY", .right), "BUYER", "SELLER",
                "RECEIVED")
            for row in page {
                table.add(
                    "\(row.key)", "\(row.status.rawValue)", "\(row.trade?.price.description ?? "?")",
                    "\(row.trade?.quantity.description ?? "?")", "\(row.trade?.buyer.text ?? "?")",
                    "\(row.trade?.seller.text ?? "?")", "\(row.receivedAt)")
            }
            return table
        }
        if rows.count > limit, let last = page.last { context.output.more(after: "\(last.receivedSequence)") }
    }
}
