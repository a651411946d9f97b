import CommandKit
import Repository
import TradeModel
import WalletClient

struct ReverseTrade: Command {
    static let info = CommandInfo(
        "reverse", summary: "Take a settled trade back: move what it moved the other way round, once.",
        discussion: """
            Each side gives back what it got and gets back what it gave, and so does the house with the fees, all of it \
            from and to what is available: a hold that the trade used up is not made anew. The trade stays SETTLED, and \
            its reversal stands beside it. Who has not enough to give back, or is closed, is named, and nothing moves; \
            the attempt is on record, and the command can be given again.
            """,
        examples: [
            Example("settle trade reverse 9001 --dry-run", "What would move."),
            Example("settle trade reverse BTC/USDT:9001 --reason 'fat finger, ticket 4711'", ""),
        ])

    @Argument("TRADE", help: "Its id, or MARKET:ID.") var name: TradeName
    @OptionGroup("Options") var action: ActionOptions

    func run(_ context: Context) async throws {
        let database = try Database(context)
        defer { database.leave() }
        let connection = try database.connect()
        let found = TradeStore.decode(try connection.query(TradeStore.find(name.id, in: name.market)))
        let key = try name.only(found.map(\.key))
        guard let trade = found.first(where: { $0.key == key }) else { throw name.notFound }
        let catalog = try CatalogStore.read(connection)
        guard let market = catalog.markets[key.market] else { throw name.notFound }
        let batch = try requireSettled(trade)
        try requireNoEngine(trade, connection)
        let terms = try ReversalStore.terms(of: key, settledIn: batch, market, catalog, connection)
        let outcome =
            try await action.dryRun
            ? predict(terms, connection) : DirectWallet(database).reverse(terms, reason: action.reason)
        switch outcome {
        case .reversed(let reversal): try show(terms, reversal, "reversed", context)
        case .wasReversed(let reversal): try show(terms, reversal, "was_reversed", context)
        case nil: try show(terms, nil, "would_reverse", context)
        case .lacksMoney(let shortfalls):
            let words = shortfalls.map { "account \($0.account) \($0)" }.joined(separator: "; ")
            throw try refusal(of: key, words, "Give the command again when it is there", connection)
        case .closed(let accounts):
            let words = accounts.map { "account \($0) is closed" }.joined(separator: "; ")
            throw try refusal(
                of: key, words, "'settle account unfreeze \(accounts[0].text.shellQuoted)' opens it again", connection)
        }
    }

    private func requireSettled(_ trade: RecordedTrade) throws -> BatchNumber {
        guard trade.status == .settled, let batch = trade.batch else {
            let message =
                "trade \(trade.key) is \(trade.status.rawValue); only what is settled can be reversed. "
                + "'settle explain \(trade.key.description.shellQuoted)' says more"
            throw CommandFailure(message.printable)
        }
        return batch
    }

    /// An engine keeps balances of its own, which nobody would reverse.
    private func requireNoEngine(_ trade: RecordedTrade, _ connection: PostgresConnection) throws {
        guard let stream = trade.trade?.stream,
            FeedStateStore.decode(try connection.query(FeedStateStore.list(stream))).contains(where: \.isInUse)
        else { return }
        let message =
            "trade \(trade.key) is an engine's, whose output '\(stream)' is settled here: reversed in the books alone, "
            + "it would make the two differ. Move the money with 'settle withdraw --engine' and "
            + "'settle deposit --engine'"
        throw CommandFailure(message.printable)
    }

    /// What would come of it now; nil for a reversal.
    private func predict(_ terms: ReversalTerms, _ connection: PostgresConnection) throws -> ReversalOutcome? {
        let answers = try connection.pipeline([
            ReversalStore.find(terms.trade), AccountStore.find(terms.customers),
            BalanceStore.read(terms.legs.map(\.key)),
        ])
        if let earlier = ReversalStore.decode(answers[0], of: terms.trade) { return .wasReversed(earlier) }
        let closed = AccountStore.decode(answers[1]).filter { $0.status == .closed }.map(\.id)
        if !closed.isEmpty { return .closed(closed.sorted()) }
        let balances = Dictionary(
            uniqueKeysWithValues: BalanceStore.decode(answers[2]).map { ($0.place, $0.balance) })
        let shortfalls = terms.shortfalls(on: balances)
        return shortfalls.isEmpty ? nil : .lacksMoney(shortfalls)
    }

    /// Puts it on record that the trade could not be reversed, and says why.
    private func refusal(
        of key: TradeKey, _ words: String, _ remedy: String, _ connection: PostgresConnection
    ) throws -> CommandFailure {
        if !action.dryRun {
            try connection.query(
                OperatorActionStore.record(
                    OperatorAction(
                        .refuseReversal, .trade(key), actor: operatorName, reason: action.reason,
                        detail: [(name: "because", value: words)])))
        }
        return CommandFailure("trade \(key) cannot be reversed: \(words). Nothing was moved. \(remedy)".printable)
    }

    private func show(
        _ terms: ReversalTerms, _ reversal: RecordedReversal?, _ outcome: String, _ context: Context
    ) throws {
        let output = context.output
        try output.show([
            "id": .id(terms.trade.id), "market": .string(terms.trade.market.text), "outcome": .string(outcome),
            "batch": .count(reversal?.batch), "at": .time(reversal?.at),
            "actor": .string(reversal?.actor), "reason": .reason(reversal?.reason),
            "postings": .array(terms.legs.map(\.json)),
        ]) {
            let name = "trade \(terms.trade.description.printable)"
            switch reversal {
            case let reversal? where outcome == "was_reversed":
                try output.line(
                    "\(name) was reversed at \(reversal.at) by \(reversal.actor.printable): "
                        + "\(reversal.reason.printable) (nothing moved)")
                return
            case let reversal?: try output.line("\(name) is reversed, in batch \(reversal.batch)")
            case nil: try output.line("\(name) would be reversed")
            }
            guard !terms.legs.isEmpty else { return }
            var table = Table(
                Table.Column("ACCOUNT", isCut: false), Table.Column("ASSET", isCut: false),
                Table.Column("CHANGE", .right))
            let (customers, others) = (
                terms.legs.filter { $0.accountKind == .customer }, terms.legs.filter { $0.accountKind != .customer }
            )
            for leg in customers + others { table.add("\(leg.name)", "\(leg.asset.symbol)", "\(leg.change)") }
            try output.print(table)
        }
    }
}

extension ReversalTerms.Leg {
    fileprivate var name: String { accountKind == .customer ? account.text : "the \(accountKind.rawValue)" }

    fileprivate var change: String { (amount > .zero ? "+" : "") + amount.text(decimals: asset.decimals) }

    fileprivate var json: JSONValue {
        [
            "account": .id(account), "account_kind": .string(accountKind.rawValue),
            "asset": .string(asset.symbol.text), "change": .string(amount.text(decimals: asset.decimals)),
        ]
    }
}
