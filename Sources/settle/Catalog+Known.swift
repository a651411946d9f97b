import CommandKit
import Repository
import TradeModel

extension Catalog {
    /// The asset of a symbol; fails when there is none.
    func known(_ symbol: AssetSymbol) throws -> Asset {
        guard let asset = assets[symbol] else {
            throw CommandFailure(
                "there is no asset \(symbol); 'settle asset list' shows those there are", exit: .notFound)
        }
        return asset
    }

    /// The market of a symbol; fails when there is none.
    func known(_ symbol: MarketSymbol) throws -> Market {
        guard let market = markets[symbol] else {
            throw CommandFailure(
                "there is no market \(symbol); 'settle market list' shows those there are", exit: .notFound)
        }
        return market
    }
}
