import CommandKit
import Repository
import TradeModel

/// What must be there before the first order: markets, and accounts with money.
enum SimulatedAccounts {
    private static let endowment = [("BTC", "1000"), ("ETH", "20000"), ("USDT", "50000000")]
    private static let fees = [TradingFees(maker: 200, taker: 1_000)]

    /// - Parameter amongOthers: whether the books are not the simulated market's alone. Where those others have a
    ///   market of the same name, the trades of both would have the same numbers.
    static func prepare(
        amongOthers: Bool, _ connection: PostgresConnection, _ wallet: DirectWallet
    ) async throws {
        var catalog = try CatalogStore.read(connection)
        let isFirst = AccountStore.decode(try connection.query(AccountStore.find([OtherVenue.seller]))).isEmpty
        if amongOthers, isFirst, let taken = SimulatedMarket.venues.first(where: { catalog.markets[$0.symbol] != nil })
        {
            throw CommandFailure(
                "market \(taken.symbol) is there already, and the simulated market's trades would take the ids of its "
                    + "trades. \(elsewhere)")
        }
        for (symbol, decimals) in SimulatedMarket.assets {
            guard let known = catalog.assets[symbol] else {
                try connection.query(CatalogStore.addAsset(symbol, decimals: decimals))
                continue
            }
            guard known.decimals == decimals else {
                throw misfit("\(symbol) has \(known.decimals.counted("decimal")) in this database, and \(decimals)")
            }
        }
        catalog = try CatalogStore.read(connection)
        for venue in SimulatedMarket.venues {
            guard let known = catalog.markets[venue.symbol] else {
                try connection.query(
                    CatalogStore.addMarket(
                        venue.symbol, priceDecimals: venue.tick.scale, tick: venue.tick, lot: venue.lot,
                        fees: .received))
                continue
            }
            guard known.feeRule == .received, known.priceDecimals >= venue.tick.scale else {
                throw misfit("market \(venue.symbol) has other terms in this database than")
            }
        }
        _ = try await wallet.settle(OtherVenue.deposits)
    }

    private static func misfit(_ what: String) -> CommandFailure {
        CommandFailure("\(what) in the simulated market. \(elsewhere)")
    }

    private static let elsewhere = "Run 'settle up' in an empty folder without a database named."

    /// The accounts of the engine, numbered from 1.
    ///
    /// - Parameter mark: what sets them apart from accounts that the books have had before; empty where there are none.
    static func names(_ mark: String) -> [Identifier] {
        (1...SimulatedMarket.accountCount).map { Identifier("sim-\(mark)\(mark.isEmpty ? "" : "-")\($0)")! }
    }

    /// What a new engine's accounts are marked with: nothing, unless the books have had accounts of their names.
    static func mark(for home: EngineHome, _ connection: PostgresConnection) throws -> String {
        let found = AccountStore.decode(try connection.query(AccountStore.find(names(""))))
        return found.isEmpty ? "" : home.mark
    }

    /// What makes a new engine one with markets, and accounts with money. Repeating it changes nothing.
    static func opening(_ accounts: [Identifier]) -> [EngineCommand.Action] {
        let assets = SimulatedMarket.assets.map { asset in
            EngineCommand.Action.listAsset(symbol: asset.symbol, decimals: asset.decimals)
        }
        let markets = SimulatedMarket.venues.map { venue in
            EngineCommand.Action.listMarket(
                MarketListing(
                    symbol: venue.symbol, tick: venue.tick, lot: venue.lot, quantityMin: venue.lot,
                    quantityMax: DecimalNumber("1000")!, priceMax: venue.price(100 * venue.ticks), fees: fees))
        }
        let deposits = accounts.flatMap { account in
            endowment.map { asset, amount in
                EngineCommand.Action.deposit(
                    Transfer(
                        key: Identifier("fund-\(account)-\(asset)")!, account: account, asset: AssetSymbol(asset)!,
                        amount: DecimalNumber(amount)!))
            }
        }
        return assets + markets + deposits
    }
}
