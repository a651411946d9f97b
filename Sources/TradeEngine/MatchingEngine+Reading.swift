import TradeModel

/// What can be asked of an engine between two commands.
extension MatchingEngine {
    public var openOrderCount: Int { orders.count }
    public var accountCount: Int { book.accounts.count }

    /// All that are listed, in that order.
    public var marketSymbols: [MarketSymbol] { (0..<markets.count).map { markets[Int32($0)].pointee.symbol } }

    /// Whether an order waits in a book.
    public func isOpen(order number: UInt64) -> Bool {
        orderIndex.find(spread(number)) { orders.base[Int($0)].number == number } != nil
    }

    /// What an account has of an asset; nil where it never had any.
    public func balance(of account: Identifier, _ asset: AssetSymbol) -> EngineBalance? {
        var id = account.text
        var symbol = asset.text
        let place = id.withUTF8 { id in
            symbol.withUTF8 { symbol -> Int32? in
                guard let account = book.find(UnsafeRawBufferPointer(id)),
                    let asset = findAsset(UnsafeRawBufferPointer(symbol))
                else { return nil }
                return book.balance(account, asset)
            }
        }
        return place.map { EngineBalance(book.balances[$0]) }
    }

    /// What the house earned of an asset; below zero where it gave more rebates than it took fees.
    public func houseBalance(_ asset: AssetSymbol) -> Int128? {
        assets.firstIndex { $0.symbol == asset }.map { totals[Int32($0)].house }
    }

    /// The best prices of a market, with how much waits there; nil where there is no such market.
    public func depth(of market: MarketSymbol, levelCountMax: Int) -> MarketDepth? {
        var symbol = market.text
        guard let number = symbol.withUTF8({ markets.find(UnsafeRawBufferPointer($0)) }) else { return nil }
        let market = markets[number]
        return MarketDepth(
            bids: depth(of: .buy, in: market, levelCountMax), asks: depth(of: .sell, in: market, levelCountMax))
    }

    private func depth(
        of side: OrderSide, in market: UnsafeMutablePointer<MarketState>, _ countMax: Int
    ) -> [MarketDepth.Level] {
        let rules = market.pointee.rules
        var result: [MarketDepth.Level] = []
        var level = side == .buy ? market.pointee.bids.best : market.pointee.asks.best
        while level >= 0, result.count < countMax {
            let found = levels[level]
            result.append(
                MarketDepth.Level(
                    price: rules.priceUnits(found.tick), quantity: found.total * Int128(rules.lotUnits),
                    orderCount: Int(found.count)))
            level = nextLevel(level, side, in: market)
        }
        return result
    }
}

/// What an account has of an asset, in its smallest unit.
public struct EngineBalance: Hashable, Sendable {
    public var available: Int128
    /// Held for its open orders.
    public var held: Int128

    public init(available: Int128, held: Int128) {
        self.available = available
        self.held = held
    }

    init(_ balance: AccountBook.Balance) {
        self.init(available: balance.available, held: balance.held)
    }
}

/// How much waits at which price, the best prices first. Prices have the decimals of the market's tick.
public struct MarketDepth: Hashable, Sendable {
    public struct Level: Hashable, Sendable {
        public var price: Int128
        public var quantity: Int128
        public var orderCount: Int
    }

    public var bids: [Level]
    public var asks: [Level]
}
