import CommandKit
import Repository
import TradeModel

struct ListTrades: Command {
    static let info = CommandInfo(
        "list", summary: "List trades in the order in which they came.",
        examples: [
            Example("settle trade list --last 20", "The newest."),
            Example("settle trade list --status failed", "Those that are parked."),
            Example("settle trade list --market BTC/USDT --since 1h", "One market's of the last hour."),
        ])

    @Option("--status", help: "Only those that wait, are settled or are parked.") var status: TradeStatus?
    @Option("--market", help: "Only this market's.") var market: MarketSymbol?
    @Option("--since", "TIME", help: "Only those received from then on: 2026-01-02, 2026-01-02T03:04:05Z, or 30m ago.")
    var since: Timestamp?
    @Option("--until", "TIME", help: "Only those received before then, written likewise.") var until: Timestamp?
    @OptionGroup("Pages") var page: PageOptions
    @Option("--after", "CURSOR", help: "Go on behind the page that ended with this.", default: 0) var after: Int64

    func validate() throws {
        try checkPeriod(since: since, until: until)
        if page.last != nil, $after != .default { throw UsageError("'--last' goes without '--after'") }
    }

    func run(_ context: Context) async throws {
        let database = try Database(context)
        defer { database.leave() }
        let connection = try database.connect()
        if let market { _ = try CatalogStore.read(connection).known(market) }
        let listing = try TradeListing(
            TradeFilter(status: status, market: market, since: since, until: until), on: connection)
        let found: [RecordedTrade]
        if let last = page.last {
            found = try listing.last(last)
        } else {
            found = try listing.first(page.limit + 1, after: after)
        }
        let rows = found.prefix(page.last ?? page.limit)
        let isWhole = status == nil && market == nil && since == nil && until == nil && after == 0
        try context.output.list(
            rows.map(\.json),
            empty: isWhole ? "No trades yet. 'settle trade submit' stores some." : "No such trades."
        ) {
            var table = Table(
                "TRADE", "STATUS", Table.Column("PRICE", .right), Table.Column("QUANTITY", .right), "BUYER", "SELLER",
                Table.Column("RECEIVED", isCut: false))
            for row in rows {
                table.add(
                    "\(row.key)", "\(row.status.rawValue)", "\(row.trade?.price.description ?? "?")",
                    "\(row.trade?.quantity.description ?? "?")", "\(row.trade?.buyer.text ?? "?")",
                    "\(row.trade?.seller.text ?? "?")", "\(row.receivedAt.inSeconds)")
            }
            return table
        }
        if found.count > rows.count, let last = rows.last { context.output.more(after: "\(last.receivedSequence)") }
    }
}
