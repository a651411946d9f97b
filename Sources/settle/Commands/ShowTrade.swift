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
        let key = try name.only(found.map(\.key))
        guard let trade = found.first(where: { $0.key == key }) else { throw name.notFound }
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
