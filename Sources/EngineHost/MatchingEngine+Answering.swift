import TradeEngine
import TradeModel

/// What an engine answers to questions between two commands.
extension MatchingEngine {
    borrowing func answer(_ query: EngineQuery, of stream: Identifier) -> EngineAnswer {
        var answer = EngineAnswer(
            stream: stream.text, sequence: Int64(sequence), hash: hash.hexadecimal, openOrders: openOrderCount,
            accounts: accountCount, trades: Int(tradeCount))
        switch query.about {
        case .status: break
        case .book: answer.book = book(query)
        case .balance: answer.balance = balance(query)
        case .markets: answer.markets = marketSymbols.map(\.text)
        }
        return answer
    }

    private borrowing func book(_ query: EngineQuery) -> EngineAnswer.Book? {
        let levels = min(max(0, query.levels ?? EngineQuery.levelsMax), EngineQuery.levelsMax)
        guard let market = query.market.flatMap({ MarketSymbol($0) }), let scale = scale(of: market),
            let depth = depth(of: market, levelCountMax: levels)
        else { return nil }
        func shown(_ level: MarketDepth.Level) -> EngineAnswer.Level {
            EngineAnswer.Level(
                price: Self.text(level.price, scale.priceDecimals),
                quantity: Self.text(level.quantity, scale.baseDecimals), orders: level.orderCount)
        }
        return EngineAnswer.Book(
            market: market.text, bids: depth.bids.map { shown($0) }, asks: depth.asks.map { shown($0) })
    }

    private borrowing func balance(_ query: EngineQuery) -> EngineAnswer.Balance? {
        guard let account = query.account.flatMap({ Identifier($0) }),
            let asset = query.asset.flatMap({ AssetSymbol($0) }), let decimals = decimals(of: asset),
            let balance = balance(of: account, asset)
        else { return nil }
        return EngineAnswer.Balance(
            available: Self.text(balance.available, decimals), held: Self.text(balance.held, decimals))
    }

    private static func text(_ units: Int128, _ decimals: Int) -> String {
        Amount(units: units)?.text(decimals: decimals) ?? "\(units)"
    }
}
