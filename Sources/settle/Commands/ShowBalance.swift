import CommandKit
import Repository
import TradeModel

struct ShowBalance: Command {
    static let info = CommandInfo(
        "balance", summary: "Show what an account has, or had at a time.",
        discussion: """
            Where no customer has that id, 'house' is the exchange itself and 'world' what lies outside, each as the sum \
            of its accounts. --as-of counts everything that was committed up to that time, by the clock of the database.
            """,
        examples: [
            Example("settle balance 1001", "All assets."), Example("settle balance 1001 USDT", "One of them."),
            Example("settle balance 1001 --as-of 2026-01-02T18:00:00Z", "As it was then."),
            Example("settle balance 1001 --as-of 1h", "As it was an hour ago."),
        ])

    @Argument("ACCOUNT", help: "Whose.") var account: Identifier
    @Argument("ASSET", help: "Only this asset.") var asset: AssetSymbol?
    @Option("--as-of", "TIME", help: "As it was then: 2026-01-02, 2026-01-02T03:04:05Z, 30m (ago) or now.")
    var asOf: Timestamp?

    func run(_ context: Context) async throws {
        let database = try Database(context)
        defer { database.leave() }
        let connection = try database.connect()
        let accounts = try AccountStore.known(account, connection)
        let catalog = try CatalogStore.read(connection)
        let asset = try self.asset.map { try catalog.known($0) }
        let numbers = accounts.map(\.number)
        let found: [BalanceKey: BalanceMoment] =
            if let asOf {
                try LedgerReader.read(connection, upTo: [asOf]) { reader throws(DatabaseError) in
                    try reader.balances(of: numbers, asset: asset?.number, asOf: asOf)
                }
            } else {
                try BalanceStore.current(of: numbers, asset: asset?.number, connection)
            }
        var balances = try catalog.assets.values.sorted { $0.symbol < $1.symbol }.compactMap { try Self.sum(found, $0) }
        if let asset, balances.isEmpty {
            balances = [AccountBalance(asset: asset, available: .zero, frozen: .zero)]
        }
        let lines = asOf == nil ? try Self.creditLines(accounts, connection) : [:]
        let rows: [JSONValue] = balances.map {
            var pairs: [(key: String, value: JSONValue)] = [
                ("account", .id(account)), ("asset", .string($0.asset.symbol.text)),
                ("available", .string($0.available.text(decimals: $0.asset.decimals))),
                ("frozen", .string($0.frozen.text(decimals: $0.asset.decimals))),
            ]
            if let asOf {
                pairs.append(("as_of", .time(asOf)))
            } else {
                let line = lines[$0.asset.symbol] ?? .zero
                pairs.append(("credit_line", .string(line.text(decimals: $0.asset.decimals))))
            }
            return .object(pairs)
        }
        try context.output.list(rows, empty: remark(accounts)) {
            var table = Table("ASSET", Table.Column("AVAILABLE", .right), Table.Column("FROZEN", .right))
            let hasLines = balances.contains { lines[$0.asset.symbol, default: .zero] != .zero }
            if hasLines { table.columns.append(Table.Column("CREDIT LINE", .right)) }
            for balance in balances {
                let line = lines[balance.asset.symbol, default: .zero]
                table.add(
                    [
                        "\(balance.asset.symbol)", "\(balance.available.text(decimals: balance.asset.decimals))",
                        "\(balance.frozen.text(decimals: balance.asset.decimals))",
                    ] + (hasLines ? ["\(line.text(decimals: balance.asset.decimals))"] : []))
            }
            return table
        }
        if let asOf, asOf > .now {
            context.output.note("\(asOf) has not come yet; this is what was committed until now")
        }
        if let opened = accounts.map(\.openedAt).min(), let asOf, asOf < opened, !balances.isEmpty {
            context.output.note("Account \(account) did not exist at \(asOf); it was opened at \(opened).")
        }
    }

    /// How far below zero a customer may go, where that is more than nothing.
    private static func creditLines(
        _ accounts: [NamedAccount], _ connection: PostgresConnection
    ) throws -> [AssetSymbol: Amount] {
        // Those of the house and of the world have no end.
        guard accounts.count == 1, let account = accounts.first, account.kind == .customer else { return [:] }
        let records = BalanceStore.decodeRecords(
            try connection.query(BalanceStore.records(of: account.number)))
        return Dictionary(
            records.filter { $0.creditLine > .zero }.map { ($0.asset.symbol, $0.creditLine) }, uniquingKeysWith: { $1 })
    }

    private static func sum(_ found: [BalanceKey: BalanceMoment], _ asset: Asset) throws -> AccountBalance? {
        let moments = found.filter { $0.key.asset == asset.number && $0.value.version > 0 }.values
        guard !moments.isEmpty else { return nil }
        return AccountBalance(
            asset: asset, available: try moments.reduce(.zero) { try $0.adding($1.available) },
            frozen: try moments.reduce(.zero) { try $0.adding($1.frozen) })
    }

    /// What is said where there is nothing to show.
    private func remark(_ accounts: [NamedAccount]) -> String {
        guard let asOf else { return "Account \(account) has no money in any asset." }
        if let opened = accounts.map(\.openedAt).min(), asOf < opened {
            return "Account \(account) did not exist at \(asOf); it was opened at \(opened)."
        }
        return "Account \(account) had no money in any asset at \(asOf)."
    }
}
