import CommandKit
import Repository
import TradeModel

struct ShowBalance: Command {
    static let info = CommandInfo(
        "balance", summary: "Show what an account has.",
        discussion: "Where no customer has that id, 'house' is the exchange itself and 'world' what lies outside.",
        examples: [Example("settle balance 1001", "All assets."), Example("settle balance 1001 USDT", "One of them.")])

    @Argument("ACCOUNT", help: "Whose.") var account: Identifier
    @Argument("ASSET", help: "Only this asset.") var asset: AssetSymbol?

    func run(_ context: Context) async throws {
        let database = try Database(context)
        defer { database.leave() }
        let connection = try database.connect()
        let customer = try connection.pipeline([AccountStore.find([account])])[0]
        var kind = AccountKind.customer
        if customer.count == 0 {
            guard let shared = AccountKind(rawValue: account.text), shared != .customer else {
                throw CommandFailure("there is no account \(account.text.printable)", exit: .notFound)
            }
            kind = shared
        }
        var balances = BalanceStore.decodeOfAccount(
            try connection.pipeline([BalanceStore.ofAccount(account, kind: kind)])[0])
        if let asset {
            guard let known = try CatalogStore.read(connection).assets[asset] else {
                throw CommandFailure("there is no asset \(asset)", exit: .notFound)
            }
            balances = balances.filter { $0.asset.symbol == asset }
            if balances.isEmpty { balances = [AccountBalance(asset: known, available: .zero, frozen: .zero)] }
        }
        let rows: [JSONValue] = balances.map {
            [
                "account": .id(account), "asset": .string($0.asset.symbol.text),
                "available": .string($0.available.text(decimals: $0.asset.decimals)),
                "frozen": .string($0.frozen.text(decimals: $0.asset.decimals)),
            ]
        }
        try context.output.list(rows, empty: "Account \(account) has no money in any asset.") {
            var table = Table("ASSET", Table.Column("AVAILABLE", .right), Table.Column("FROZEN", .right))
            for balance in balances {
                table.add(
                    "\(balance.asset.symbol)", "\(balance.available.text(decimals: balance.asset.decimals))",
                    "\(balance.frozen.text(decimals: balance.asset.decimals))")
            }
            return table
        }
    }
}
