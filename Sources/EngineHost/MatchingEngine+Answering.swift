import TradeEngine
import TradeModel

/// What an engine answers to questions between two commands.
extension MatchingEngine {
    borrowing func answer(_ query: EngineQuery, of stream: Identifier) -> EngineAnswer {
        var answer = EngineAnswer(
            stream: stream.text, sequence: Int64(sequence), hash: hash.hexadecimal, openOrders: openOrderCount,
            accounts: accountCount, trades: Int(tradeCount))
        switch query.about {
        case .status, .balances: break
        case .book: answer.book = book(query)
        case .balance: answer.balance = balance(query)
        case .markets: answer.markets = marketSymbols.map(\.text)
        case .order: order(query, &answer)
        case .orders: orders(query, &answer)
        }
        return answer
    }

    private borrowing func order(_ query: EngineQuery, _ answer: inout EngineAnswer) {
        guard let account = query.account.flatMap({ Identifier($0) }) else { return }
        answer.isKnown = isKnown(account)
        if let number = query.order, number > 0 {
            answer.order = openOrder(of: account, .number(UInt64(number))).flatMap { shown($0) }
        } else if let key = query.key.flatMap({ Identifier($0) }) {
            answer.order = openOrder(of: account, .clientOrderID(key)).flatMap { shown($0) }
            answer.hasEnded = hasEnded(key, of: account)
        }
    }

    private borrowing func orders(_ query: EngineQuery, _ answer: inout EngineAnswer) {
        guard let account = query.account.flatMap({ Identifier($0) }) else { return }
        answer.isKnown = isKnown(account)
        let page = openOrders(
            of: account, in: query.market.flatMap { MarketSymbol($0) }, after: UInt64(clamping: query.after ?? 0),
            from: query.from ?? 0, placeCountMax: EngineQuery.orderPlacesMax, countMax: EngineQuery.orderCountMax)
        answer.orders = page.orders.compactMap { shown($0) }
        answer.next = page.next
    }

    private borrowing func shown(_ order: OpenOrder) -> EngineAnswer.Order? {
        guard let scale = scale(of: order.market) else { return nil }
        let held: MarketAsset = order.side == .buy ? .quote : .base
        return EngineAnswer.Order(
            number: Int64(clamping: order.number), account: order.account.text, market: order.market.text,
            side: order.side.name, postOnly: order.isPostOnly, price: Self.text(order.price, scale.priceDecimals),
            quantity: Self.text(order.quantity, scale.baseDecimals),
            remaining: Self.text(order.remaining, scale.baseDecimals),
            held: Self.text(order.held, scale.decimals(of: held)), heldAsset: scale.symbol(of: held).text)
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

    static func text(_ units: Int128, _ decimals: Int) -> String {
        Amount(units: units)?.text(decimals: decimals) ?? "\(units)"
    }
}
