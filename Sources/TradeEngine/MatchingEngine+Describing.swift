import TradeModel

/// What must be known to read an engine's amounts.
extension MatchingEngine {
    public func decimals(of asset: AssetSymbol) -> Int? {
        assets.first { $0.symbol == asset }?.decimals
    }

    public func scale(of market: MarketSymbol) -> MarketScale? {
        var symbol = market.text
        guard let number = symbol.withUTF8({ markets.find(UnsafeRawBufferPointer($0)) }) else { return nil }
        let rules = markets[number].pointee.rules
        return MarketScale(
            symbol: market, baseDecimals: rules.baseDecimals, quoteDecimals: rules.quoteDecimals,
            priceDecimals: rules.priceDecimals, feeRule: rules.feeRule)
    }
}
