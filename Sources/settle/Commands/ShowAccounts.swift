import CommandKit
import Repository
import TradeModel

struct ListAccounts: Command {
    static let info = CommandInfo(
        "list", summary: "List accounts in the order in which they were opened.",
        examples: [
            Example("settle account list", ""),
            Example("settle account list --status frozen", "Those that can withdraw and hold nothing."),
        ])

    @Option("--status", help: "Only those that are active, frozen or closed.") var status: AccountStatus?
    @Option("--limit", "N", help: "How many at most.", default: 50) var limit: Int
    @Option("--after", "ACCOUNT", help: "Go on behind this account.") var after: Identifier?

    func validate() throws { try PageOptions.check(limit) }

    func run(_ context: Context) async throws {
        let database = try Database(context)
        defer { database.leave() }
        let connection = try database.connect()
        var last: AccountNumber = 0
        if let after { last = try AccountRecord.find(after, connection).number }
        let found = AccountStore.decodeRecords(
            try connection.query(AccountStore.list(status: status, after: last, limit: limit + 1)))
        let page = found.prefix(limit)
        try context.output.list(
            page.map { .object($0.pairs) },
            empty: status == nil && after == nil
                ? "No accounts yet. A first deposit opens one." : "No such accounts."
        ) {
            var table = Table(
                Table.Column("ACCOUNT", isCut: false), "STATUS", Table.Column("SINCE", isCut: false),
                Table.Column("OPENED", isCut: false))
            for account in page {
                table.add(
                    "\(account.id)", Table.Cell(account.status.rawValue, account.status == .active ? nil : .yellow),
                    "\(account.statusAt.inSeconds)", "\(account.openedAt.inSeconds)")
            }
            return table
        }
        if found.count > limit, let last = page.last { context.output.more(after: last.id.text) }
    }
}

struct ShowAccount: Command {
    static let info = CommandInfo(
        "show", summary: "Show an account: its status, money and credit, what waits, what operators did.",
        examples: [Example("settle account show 1001", "")])

    @Argument("ACCOUNT", help: "Whose.") var id: Identifier

    /// So many of the latest actions are shown.
    private static let actionsMax = 20

    func run(_ context: Context) async throws {
        let database = try Database(context)
        defer { database.leave() }
        let connection = try database.connect()
        let account = try AccountRecord.find(id, connection)
        let answers = try connection.pipeline([
            BalanceStore.records(of: account.number), TradeStore.waiting(of: id), DeadLetterStore.countOpen(of: id),
            OperatorActionStore.latest(on: .account(id), limit: Self.actionsMax),
        ])
        let balances = BalanceStore.decodeRecords(answers[0])
        let backlog = Backlog(trades: answers[1], letters: answers[2])
        let actions = OperatorActionStore.decode(answers[3]).reversed()
        let output = context.output
        try output.show(
            .object(
                account.pairs + backlog.pairs + [
                    ("balances", .array(balances.map(\.json))), ("history", .array(actions.map(\.json))),
                ])
        ) {
            let style: Style = account.status == .active ? .green : .yellow
            try output.line(
                "account  \(id.text.printable), \(output.styled(account.status.rawValue, style)) since "
                    + "\(account.statusAt.inSeconds), opened \(account.openedAt.inSeconds)")
            try backlog.print(to: output)
            try output.line()
            if balances.isEmpty {
                try output.line("no money in any asset")
            } else {
                var table = Table(
                    "ASSET", Table.Column("AVAILABLE", .right), Table.Column("FROZEN", .right),
                    Table.Column("CREDIT LINE", .right))
                for balance in balances {
                    let texts = balance.texts
                    table.add("\(balance.asset.symbol)", "\(texts.available)", "\(texts.frozen)", "\(texts.line)")
                }
                try output.print(table)
            }
            guard !actions.isEmpty else { return }
            try output.line()
            try output.line("history")
            for action in actions { try output.line("  \(action.at.inSeconds)  \(action.words.printable)") }
        }
    }
}

extension AccountRecord {
    fileprivate var pairs: [(key: String, value: JSONValue)] {
        [
            ("account", .id(id)), ("status", .string(status.rawValue)), ("status_at", .time(statusAt)),
            ("opened_at", .time(openedAt)),
        ]
    }
}

extension BalanceRecord {
    fileprivate var texts: (available: String, frozen: String, line: String) {
        (
            available.text(decimals: asset.decimals), frozen.text(decimals: asset.decimals),
            creditLine.text(decimals: asset.decimals)
        )
    }

    fileprivate var json: JSONValue {
        [
            "asset": .string(asset.symbol.text), "available": .string(texts.available),
            "frozen": .string(texts.frozen), "credit_line": .string(texts.line),
        ]
    }
}

extension RecordedAction {
    fileprivate var json: JSONValue {
        [
            "at": .time(at), "actor": .string(actor), "action": .string(action), "reason": .reason(reason),
            "detail": .object(detail.map { ($0.name, .string($0.value)) }),
        ]
    }
}
