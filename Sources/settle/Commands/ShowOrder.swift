import CommandKit
import EngineHost
import TradeModel

struct ShowOrder: Command {
    static let info = CommandInfo(
        "show", summary: "Show an order that waits in a book.",
        discussion: """
            The engine remembers an order as long as it is open. What came of one that has ended stands in the records \
            of the feed: that of its own number says what it met when it arrived.
            """,
        examples: [
            Example("settle order show 1001 --id resting-1", "The one that was placed under that id."),
            Example("settle order show 1001 --id resting-1 --json", "For a program."),
        ])

    @OptionGroup("Order") var order: OrderName
    @Option(
        "--engine", help: "Where the engine takes orders.", environment: "SETTLE_ENGINE", default: .orders)
    var engine: Endpoint

    func run(_ context: Context) async throws {
        let answer = try await EngineAccess(engine).ask(.order(order.account, try order.reference()))
        guard let found = answer.order else { throw failure(answer) }
        try context.output.show(found.json) {
            try context.output.line(
                "order \(found.number) of account \(found.account.printable) is open: \(found.words)")
            try context.output.line(
                "  \(found.remaining.printable) of \(found.quantity.printable) left, \(found.held.printable) "
                    + "\(found.heldAsset.printable) held")
        }
    }

    private func failure(_ answer: EngineAnswer) -> CommandFailure {
        let account = "account \(order.account.text.printable)"
        guard answer.isKnown == true else {
            return CommandFailure("the engine has no \(account); a first deposit opens it", exit: .notFound)
        }
        guard let number = order.number else {
            let name = "order '\(order.key?.text.printable ?? "")' of \(account)"
            return CommandFailure(
                answer.hasEnded == true
                    ? "\(name) has ended; 'settle order list \(order.account.text.shellQuoted)' shows those that are "
                        + "open"
                    : "\(name) is not open, and none under this id has ended lately", exit: .notFound)
        }
        return CommandFailure(
            number > answer.sequence
                ? "there is no order \(number) yet: the engine's newest record is \(answer.sequence)"
                : "order \(number) of \(account) is not open: it has ended, or there never was one. "
                    + "'settle feed tail --from \(number) --limit 1' shows the record of that number", exit: .notFound)
    }
}

extension EngineAnswer.Order {
    /// `buy 0.2000 BTC/USDT at 49500.00`.
    var words: String {
        "\(side.printable) \(quantity.printable) \(market.printable) at \(price.printable)"
            + (postOnly ? ", post-only" : "")
    }

    var json: JSONValue {
        [
            "order": .count(number), "account": .string(account), "market": .string(market),
            "side": .string(side), "price": .string(price), "quantity": .string(quantity),
            "remaining": .string(remaining), "held": .string(held), "held_asset": .string(heldAsset),
            "post_only": .bool(postOnly),
        ]
    }
}
