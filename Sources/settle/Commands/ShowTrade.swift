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
        let connection = try database.connect()
        let found = TradeStore.decode(try connection.query(TradeStore.find(name.id, in: name.market)))
        let key = try name.only(found.map(\.key))
        guard let trade = found.first(where: { $0.key == key }) else { throw name.notFound }
        let failure =
            trade.status == .failed
            ? DeadLetterStore.decodeFailure(try connection.query(DeadLetterStore.failure(of: key))) : nil
        let reversal = ReversalStore.decode(try connection.query(ReversalStore.find(key)), of: key)
        guard case .object(var pairs) = trade.json else { return }
        pairs += [
            ("class", .string(failure?.failureClass)), ("message", .string(failure?.message)),
            ("dead_letter", .count(failure?.letter)),
            ("reversed_at", .time(reversal?.at)), ("reversed_by", .string(reversal?.actor)),
            ("reversal_reason", .reason(reversal?.reason)),
            ("reversal_batch", .count(reversal?.batch)),
        ]
        let output = context.output
        try output.show(.object(pairs)) {
            var table = Table(Table.Column("FIELD", isCut: false), Table.Column("VALUE", wraps: true))
            for (key, value) in pairs where value != .null {
                if case .string(let text) = value {
                    table.add("\(key)", "\(text)")
                } else {
                    table.add("\(key)", "\(value.line)")
                }
            }
            try output.print(table)
            guard let failure else { return }
            try output.line()
            for line in Advice(steps: ["settle dlq show \(failure.letter)"]).lines { try output.line(line) }
        }
    }
}
