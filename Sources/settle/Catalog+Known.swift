import CommandKit
import Repository
import TradeModel

extension Catalog {
    /// The asset of a symbol; fails when there is none.
    func known(_ symbol: AssetSymbol) throws -> Asset {
        if let asset = assets[symbol] { return asset }
        guard !assets.isEmpty else {
            throw CommandFailure(
                "there is no asset \(symbol), nor any other; 'settle asset add \(symbol) --decimals …' adds it",
                exit: .notFound)
        }
        let names = assets.keys.map(\.text).sorted()
        throw CommandFailure.notFound("asset", symbol.text, near: names, see: "settle asset list")
    }

    /// The market of a symbol; fails when there is none.
    func known(_ symbol: MarketSymbol) throws -> Market {
        if let market = markets[symbol] { return market }
        let names = markets.keys.map(\.text).sorted()
        throw CommandFailure.notFound("market", symbol.text, near: names, see: "settle market list")
    }
}
