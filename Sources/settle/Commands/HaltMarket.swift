import CommandKit
import Repository
import TradeModel

struct HaltMarket: Command {
    static let info = CommandInfo(
        "halt", summary: "Settle no more trades of a market; they wait as PENDING.",
        discussion: """
            When it returns, no trade of the market is settled any more by any worker. Trades that come are stored and \
            wait; none is parked. 'settle market resume' lets them settle, in the order in which they came.
            """,
        examples: [Example("settle market halt BTC/USDT --reason 'wrong prices'", "")])

    @Argument("MARKET", help: "Which market.") var symbol: MarketSymbol
    @OptionGroup("Options") var action: ActionOptions

    func run(_ context: Context) async throws {
        try MarketSwitch(symbol: symbol, halts: true, action: action).run(context)
    }
}

struct ResumeMarket: Command {
    static let info = CommandInfo(
        "resume", summary: "Let the trades of a halted market settle again.",
        examples: [Example("settle market resume BTC/USDT --reason 'prices corrected'", "")])

    @Argument("MARKET", help: "Which market.") var symbol: MarketSymbol
    @OptionGroup("Options") var action: ActionOptions

    func run(_ context: Context) async throws {
        try MarketSwitch(symbol: symbol, halts: false, action: action).run(context)
    }
}

/// Halts a market, or lets it go on.
private struct MarketSwitch {
    let symbol: MarketSymbol
    let halts: Bool
    let action: ActionOptions

    func run(_ context: Context) throws {
        let database = try Database(context)
        defer { database.leave() }
        let connection = try database.connect()
        let market = try CatalogStore.read(connection).known(symbol)
        let dryRun = action.dryRun
        var isNew = market.isHalted != halts
        if !dryRun {
            do {
                isNew = try MarketStore.setHalted(
                    halts, market, actor: operatorName, reason: action.reason, on: connection)
            } catch {
                guard error.sqlState == DatabaseError.lockNotAvailable else { throw error }
                throw CommandFailure(
                    "trades of \(symbol) that are just being settled do not come to an end; nothing was changed, "
                        + "and the command can be repeated")
            }
        }
        let waiting = TradeStore.decodeWaiting(try connection.query(TradeStore.waiting(in: symbol)))
        let halt = MarketStore.decodeHalts(try connection.query(MarketStore.halts(of: symbol))).first
        let pairs: [(key: String, value: JSONValue)] = [
            ("symbol", .string(symbol.text)), ("halted", .bool(dryRun ? market.isHalted : halts)),
            (dryRun ? "would_change" : "changed", .bool(isNew)),
        ]
        try context.output.show(
            .object(pairs + waiting.count.pairs("pending") + [("oldest_pending_at", .time(waiting.oldest))])
        ) {
            let what =
                switch (isNew, halts, dryRun) {
                case (true, true, false): "market \(symbol) is halted"
                case (true, true, true): "market \(symbol) would be halted"
                case (true, false, false): "market \(symbol) goes on"
                case (true, false, true): "market \(symbol) would go on"
                case (false, true, _):
                    "market \(symbol) is halted already" + (halt.map { " (\($0.circumstances))" } ?? "").printable
                case (false, false, _): "market \(symbol) is not halted"
                }
            try context.output.line("\(what); \(waiting.count.text("trade")) of it PENDING")
        }
        if halts, !dryRun { context.output.next(Standstill.Stop.remedy(of: symbol)) }
    }
}
