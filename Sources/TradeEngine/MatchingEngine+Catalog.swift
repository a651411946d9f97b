import TradeModel

extension MatchingEngine {
    func findAsset(_ symbol: UnsafeRawBufferPointer) -> Int32? {
        for index in assets.indices {
            let found = assets[index].symbol.text.utf8.withContiguousStorageIfAvailable {
                isSame(UnsafeRawBufferPointer($0), symbol)
            }
            if found == true { return Int32(index) }
        }
        return nil
    }

    private func findAsset(_ symbol: AssetSymbol) -> Int32? {
        assets.firstIndex { $0.symbol == symbol }.map(Int32.init)
    }

    mutating func listAsset(_ symbol: UnsafeRawBufferPointer, _ decimals: Int) throws(RejectReason) {
        guard findAsset(symbol) == nil else { throw .alreadyListed }
        guard assets.count < ListedAsset.countMax, let symbol = AssetSymbol(String(decoding: symbol, as: UTF8.self))
        else { throw .limitReached }
        assets.append(ListedAsset(symbol: symbol, decimals: decimals))
        _ = totals.insert(AssetTotals())
        beginEvents()
    }

    mutating func listMarket(_ listing: MarketListing) throws(RejectReason) {
        guard let base = findAsset(listing.symbol.base), let quote = findAsset(listing.symbol.quote) else {
            throw .unknownAsset
        }
        let symbol = Array(listing.symbol.text.utf8)
        guard symbol.withUnsafeBytes({ markets.find($0) }) == nil else { throw .alreadyListed }
        guard markets.count < MarketList.countMax else { throw .limitReached }
        guard
            let rules = MarketRules(
                listing, baseDecimals: assets[Int(base)].decimals, quoteDecimals: assets[Int(quote)].decimals)
        else { throw .invalidMarketRules }
        markets.add(MarketState(listing, rules, number: Int32(markets.count), base: base, quote: quote))
        subject = markets[Int32(markets.count - 1)]
        beginEvents()
    }

    mutating func setFeeTier(_ text: UnsafeRawBufferPointer, _ tier: UInt8) throws(RejectReason) {
        guard let account = book.find(text) else { throw .unknownAccount }
        book.accounts[account].tier = tier
        beginEvents()
    }

    mutating func setHalted(_ symbol: UnsafeRawBufferPointer, _ isHalted: Bool) throws(RejectReason) {
        guard let number = markets.find(symbol) else { throw .unknownMarket }
        let market = markets[number]
        subject = market
        guard market.pointee.isHalted != isHalted else { throw isHalted ? .marketHalted : .marketNotHalted }
        market.pointee.isHalted = isHalted
        beginEvents()
    }
}
