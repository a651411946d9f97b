import CommandKit
import EngineHost
import TradeModel

struct PlaceOrder: Command {
    static let info = CommandInfo(
        "place", summary: "Give the engine an order.",
        discussion: """
            Without --price it takes what the book offers; what finds nobody expires. What the order may cost is held \
            until it ends. The same --id again is refused, so that an order that got no answer can be given again.
            """,
        examples: [
            Example(
                "settle order place 1001 buy 0.5 BTC/USDT --price 50000 --id my-1", "Buy at 50,000 or less, or wait."),
            Example("settle order place 1002 sell 0.2 BTC/USDT --time-in-force ioc --price 49000", "At once or not."),
        ])

    @Argument("ACCOUNT", help: "Whose order.") var account: Identifier
    @Argument("SIDE", help: "buy or sell.") var side: OrderSide
    @Argument("QUANTITY", help: "How much of the base asset.") var quantity: DecimalNumber
    @Argument("MARKET", help: "Where.") var market: MarketSymbol
    @Option("--price", "AMOUNT", help: "The worst price at which it may trade.") var price: DecimalNumber?
    @Option("--budget", "AMOUNT", help: "What a buy without a price may spend, its fee included.")
    var budget: DecimalNumber?
    @Option("--time-in-force", "RULE", help: "How long it may wait: gtc, ioc, fok or post-only.")
    var timeInForce: TimeInForce?
    @Option("--id", "KEY", help: "A name of your choosing, by which a repetition is known.") var key: Identifier?
    @Option(
        "--engine", help: "Where the engine takes orders.", environment: "SETTLE_ENGINE", default: .orders)
    var engine: Endpoint

    func validate() throws {
        switch (side, price, budget) {
        case (.buy, nil, nil): throw UsageError("a buy needs '--price', the worst it may pay, or '--budget'")
        case (_, .some, .some), (.sell, _, .some): throw UsageError("'--budget' is for a buy without '--price'")
        default: break
        }
    }

    func run(_ context: Context) async throws {
        let request = OrderRequest(
            account: account, clientOrderID: key, market: market, side: side, kind: price == nil ? .market : .limit,
            timeInForce: timeInForce ?? (price == nil ? .immediateOrCancel : .goodTillCancelled), price: price,
            quantity: quantity, budget: budget)
        try OrderReport(record: try await EngineAccess(engine).carryOut(.place(request)), order: nil)
            .print(to: context.output)
    }
}

/// Which of an account's orders is meant.
struct OrderName: ParameterGroup {
    @Argument("ACCOUNT", help: "Whose order.") var account: Identifier
    @Argument("ORDER", help: "Its number, as 'settle order place' said it; or '--id'.") var number: Int?
    @Option("--id", "KEY", help: "The name that it was placed under.") var key: Identifier?

    func reference() throws -> OrderReference {
        switch (number, key) {
        case (let number?, nil) where number > 0: return .number(UInt64(number))
        case (nil, let key?): return .clientOrderID(key)
        case (.some, nil): throw UsageError("ORDER is a number from 1 on")
        default: throw UsageError("name the order by ORDER, its number, or by '--id'")
        }
    }
}

struct CancelOrder: Command {
    static let info = CommandInfo(
        "cancel", summary: "Take an order out of the book; what was held for it is released.",
        examples: [Example("settle order cancel 1001 --id resting-1", "The one that was placed under that id.")])

    @OptionGroup("Order") var order: OrderName
    @Option(
        "--engine", help: "Where the engine takes orders.", environment: "SETTLE_ENGINE", default: .orders)
    var engine: Endpoint

    func run(_ context: Context) async throws {
        let action = EngineCommand.Action.cancel(account: order.account, order: try order.reference())
        try OrderReport(record: try await EngineAccess(engine).carryOut(action), order: order.number)
            .print(to: context.output)
    }
}

struct AmendOrder: Command {
    static let info = CommandInfo(
        "amend", summary: "Change the price or the quantity of an order in the book.",
        discussion: "With a smaller quantity alone it keeps its place in line; with anything else it arrives anew.",
        examples: [Example("settle order amend 1001 --id resting-1 --quantity 0.1", "Less of it.")])

    @OptionGroup("Order") var order: OrderName
    @Option("--price", "AMOUNT", help: "The new price.") var price: DecimalNumber?
    @Option("--quantity", "AMOUNT", help: "The new quantity, what was filled included.") var quantity: DecimalNumber?
    @Option(
        "--engine", help: "Where the engine takes orders.", environment: "SETTLE_ENGINE", default: .orders)
    var engine: Endpoint

    func validate() throws {
        if price == nil, quantity == nil { throw UsageError("say what is to change: '--price' or '--quantity'") }
    }

    func run(_ context: Context) async throws {
        let amendment = Amendment(
            account: order.account, order: try order.reference(), price: price, quantity: quantity)
        try OrderReport(record: try await EngineAccess(engine).carryOut(.amend(amendment)), order: order.number)
            .print(to: context.output)
    }
}
