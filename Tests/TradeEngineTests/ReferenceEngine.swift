import TradeModel

/// The engine as one would write it on a blackboard: lists that are searched from the front, dictionaries, and the
/// widest integers. It shares no code with the engine but the types of commands and records.
final class ReferenceEngine {
    struct Order {
        var number: UInt64
        var client: Identifier?
        var account: Identifier
        var side: OrderSide
        var timeInForce: TimeInForce
        var price: Int128
        /// In base.
        var quantity: Int128
        var remaining: Int128
        var hold: Int128
        var fees: TradingFees
        var hasTraded = false
        var hasBudget = false
        var isBoundByBudgetAlone = false

        var held: MarketAsset { side == .buy ? .quote : .base }
    }

    struct Book {
        var listing: MarketListing
        var scale: MarketScale
        var isHalted = false
        /// In the order in which they came.
        var orders: [Order] = []

        func power(_ digits: Int) -> Int128 { (0..<digits).reduce(Int128(1)) { power, _ in power * 10 } }
        var tick: Int128 { listing.tick.coefficient }
        var lot: Int128 { listing.lot.amount(decimals: scale.baseDecimals)!.units }

        /// Exact as a fraction: what the product is, and of how many parts of a unit.
        func quoteParts(_ price: Int128, _ quantity: Int128) -> (Int128, Int128) {
            let digits = scale.priceDecimals + scale.baseDecimals - scale.quoteDecimals
            return digits >= 0
                ? (price * quantity, power(digits)) : (price * quantity * power(-digits), 1)
        }
        func quote(_ price: Int128, _ quantity: Int128) -> Int128 {
            let (parts, whole) = quoteParts(price, quantity)
            return parts / whole
        }
        func quoteUp(_ price: Int128, _ quantity: Int128) -> Int128 {
            let (parts, whole) = quoteParts(price, quantity)
            return (parts + whole - 1) / whole
        }
        func need(_ order: Order, rate: Int32) -> Int128 {
            guard order.side == .buy else { return order.remaining }
            let quote = quoteUp(order.price, order.remaining)
            return listing.feeRule == .quote && rate > 0 ? quote + fee(quote, rate) : quote
        }
        func cost(_ price: Int128, _ quantity: Int128, _ rate: Int32) -> Int128 {
            let quote = quote(price, quantity)
            return listing.feeRule == .quote && rate > 0 ? quote + fee(quote, rate) : quote
        }
        func fee(_ amount: Int128, _ rate: Int32) -> Int128 { amount * Int128(rate) / 1_000_000 }

        /// The order with which one of the other side would trade next.
        func best(against side: OrderSide) -> Int? {
            var best: Int?
            for (index, order) in orders.enumerated() where order.side != side {
                guard let found = best else {
                    best = index
                    continue
                }
                let isBetter = side == .buy ? order.price < orders[found].price : order.price > orders[found].price
                if isBetter { best = index }
            }
            return best
        }

        func isMet(_ order: Order, _ other: Order) -> Bool {
            order.side == .buy ? other.price <= order.price : other.price >= order.price
        }
    }

    let endedIDCountMax: Int
    var sequence: UInt64 = 0
    var tradeCount: UInt64 = 0
    var decimals: [AssetSymbol: Int] = [:]
    var books: [MarketSymbol: Book] = [:]
    var tiers: [Identifier: UInt8] = [:]
    var balances: [Identifier: [AssetSymbol: (available: Int128, held: Int128)]] = [:]
    var house: [AssetSymbol: Int128] = [:]
    var endedIDs: [(Identifier, Identifier)] = []
    var operations: [Identifier: EngineCommand.Action] = [:]
    var events: [EngineEvent] = []
    var market: MarketSymbol?

    init(endedIDCountMax: Int) {
        self.endedIDCountMax = endedIDCountMax
    }

    func apply(_ command: EngineCommand) -> EngineOutput {
        sequence += 1
        events = []
        market = nil
        var output = EngineOutput(sequence: sequence, command: command)
        do {
            try carryOut(command.action)
        } catch {
            output.rejection = error
            events = []
            if case .place(let request) = command.action {
                events = [.state(order: sequence, account: request.account, .rejected, cause: .none, remaining: 0)]
            }
        }
        output.market = market.map { books[$0]!.scale }
        output.events = events
        return output
    }

    private func carryOut(_ action: EngineCommand.Action) throws(RejectReason) {
        switch action {
        case .listAsset(let symbol, let places):
            guard decimals[symbol] == nil else { throw .alreadyListed }
            decimals[symbol] = places
        case .listMarket(let listing): try list(listing)
        case .setFeeTier(let account, let tier):
            guard balances[account] != nil else { throw .unknownAccount }
            tiers[account] = tier
        case .deposit(let transfer):
            let amount = try check(transfer, action)
            balances[transfer.account, default: [:]][transfer.asset, default: (0, 0)].available += amount
            operations[transfer.key] = action
        case .withdraw(let transfer):
            let amount = try check(transfer, action)
            guard let owned = balances[transfer.account] else { throw .unknownAccount }
            guard let balance = owned[transfer.asset], balance.available >= amount else { throw .insufficientFunds }
            balances[transfer.account]![transfer.asset]!.available -= amount
            operations[transfer.key] = action
        case .haltMarket(let symbol): try setHalted(symbol, true)
        case .resumeMarket(let symbol): try setHalted(symbol, false)
        case .place(let request): try place(request)
        case .cancel(let account, let reference):
            let (symbol, index) = try find(account, reference)
            market = symbol
            end(symbol, index, .cancelled, .asked)
        case .amend(let amendment): try amend(amendment)
        }
    }

    private func list(_ listing: MarketListing) throws(RejectReason) {
        guard let base = decimals[listing.symbol.base], let quote = decimals[listing.symbol.quote] else {
            throw .unknownAsset
        }
        guard books[listing.symbol] == nil else { throw .alreadyListed }
        books[listing.symbol] = Book(
            listing: listing,
            scale: MarketScale(
                symbol: listing.symbol, baseDecimals: base, quoteDecimals: quote, priceDecimals: listing.tick.scale,
                feeRule: listing.feeRule))
        market = listing.symbol
    }

    private func setHalted(_ symbol: MarketSymbol, _ isHalted: Bool) throws(RejectReason) {
        guard let book = books[symbol] else { throw .unknownMarket }
        market = symbol
        guard book.isHalted != isHalted else { throw isHalted ? .marketHalted : .marketNotHalted }
        books[symbol]!.isHalted = isHalted
    }

    private func check(_ transfer: Transfer, _ action: EngineCommand.Action) throws(RejectReason) -> Int128 {
        guard let places = decimals[transfer.asset] else { throw .unknownAsset }
        guard transfer.amount.isPositive, let amount = transfer.amount.amount(decimals: places) else {
            throw .invalidAmount
        }
        if let earlier = operations[transfer.key] {
            throw earlier == action ? .duplicateOperation : .operationConflict
        }
        return amount.units
    }

    private func price(_ price: DecimalNumber, _ book: Book) throws(RejectReason) -> Int128 {
        guard let units = price.amount(decimals: book.scale.priceDecimals)?.units, units % book.tick == 0 else {
            throw .priceOffTick
        }
        guard units > 0, book.quote(units, book.lot) > 0,
            units <= book.listing.priceMax.amount(decimals: book.scale.priceDecimals)!.units
        else { throw .priceOutOfRange }
        return units
    }

    private func quantity(_ quantity: DecimalNumber, _ book: Book) throws(RejectReason) -> Int128 {
        guard quantity.isPositive else { throw .quantityTooSmall }
        guard let units = quantity.amount(decimals: book.scale.baseDecimals)?.units, units % book.lot == 0 else {
            throw .quantityOffLot
        }
        guard units >= book.listing.quantityMin.amount(decimals: book.scale.baseDecimals)!.units else {
            throw .quantityTooSmall
        }
        guard units <= book.listing.quantityMax.amount(decimals: book.scale.baseDecimals)!.units else {
            throw .quantityTooLarge
        }
        return units
    }

    private func place(_ request: OrderRequest) throws(RejectReason) {
        let symbol = request.market
        guard let book = books[symbol] else { throw .unknownMarket }
        market = symbol
        guard balances[request.account] != nil else { throw .unknownAccount }
        guard !book.isHalted else { throw .marketHalted }
        let isMarketBuy = request.kind == .market && request.side == .buy
        if request.kind == .limit {
            guard request.price != nil, request.quantity != nil, request.budget == nil else { throw .invalidOrder }
        } else {
            guard request.price == nil, (request.budget != nil) == isMarketBuy else { throw .invalidOrder }
            guard [.immediateOrCancel, .fillOrKill].contains(request.timeInForce) else { throw .invalidOrder }
            if request.quantity == nil, !isMarketBuy || request.timeInForce == .fillOrKill { throw .invalidOrder }
        }
        var order = Order(
            number: sequence, client: request.clientOrderID, account: request.account, side: request.side,
            timeInForce: request.timeInForce, price: 0, quantity: 0, remaining: 0, hold: 0,
            fees: fees(of: request.account, book))
        order.price =
            if let price = request.price { try self.price(price, book) } else if isMarketBuy {
                book.listing.priceMax.amount(decimals: book.scale.priceDecimals)!.units
            } else { 0 }
        order.quantity = try quantity(request.quantity ?? book.listing.quantityMax, book)
        order.remaining = order.quantity
        order.hasBudget = isMarketBuy
        order.isBoundByBudgetAlone = isMarketBuy && request.quantity == nil
        if let client = request.clientOrderID {
            let isOpen = books.values.contains {
                $0.orders.contains { $0.account == request.account && $0.client == client }
            }
            guard !isOpen, !endedIDs.contains(where: { $0 == (request.account, client) }) else {
                throw .duplicateClientOrderID
            }
        }
        if let budget = request.budget {
            guard budget.isPositive, let amount = budget.amount(decimals: book.scale.quoteDecimals) else {
                throw .invalidAmount
            }
            order.hold = amount.units
        } else {
            order.hold = book.need(order, rate: max(order.fees.maker, order.fees.taker))
        }
        guard (balances[order.account]![book.scale.symbol(of: order.held)]?.available ?? 0) >= order.hold,
            balances[order.account]![book.scale.symbol(of: order.held)] != nil
        else { throw .insufficientFunds }
        if order.timeInForce == .postOnly, let best = book.best(against: order.side),
            book.isMet(order, book.orders[best])
        {
            throw .postOnlyWouldTake
        }
        if order.timeInForce == .fillOrKill {
            // Whether it works is seen by trying it on a copy of everything.
            let copy = ReferenceEngine(copyOf: self)
            copy.events = []
            copy.move(order, order.hold, symbol)
            var trial = order
            _ = copy.match(&trial, symbol)
            guard trial.remaining == 0 else { throw .notFillable }
        }
        events.append(.new(order: order.number))
        move(order, order.hold, symbol)
        events.append(.hold(order: order.number, asset: order.held, amount: Amount(units: order.hold)!))
        let stop = match(&order, symbol)
        finish(order, stop, symbol)
    }

    private init(copyOf other: ReferenceEngine) {
        endedIDCountMax = other.endedIDCountMax
        sequence = other.sequence
        tradeCount = other.tradeCount
        decimals = other.decimals
        books = other.books
        tiers = other.tiers
        balances = other.balances
        house = other.house
        endedIDs = other.endedIDs
        operations = other.operations
    }

    private func fees(of account: Identifier, _ book: Book) -> TradingFees {
        book.listing.fees[min(Int(tiers[account] ?? 0), book.listing.fees.count - 1)]
    }

    /// From available to held.
    private func move(_ order: Order, _ amount: Int128, _ symbol: MarketSymbol) {
        let asset = books[symbol]!.scale.symbol(of: order.held)
        balances[order.account]![asset]!.available -= amount
        balances[order.account]![asset]!.held += amount
    }

    private func release(_ order: Order, _ amount: Int128, _ symbol: MarketSymbol) {
        guard amount != 0 else { return }
        move(order, -amount, symbol)
        events.append(
            .release(order: order.number, account: order.account, asset: order.held, amount: Amount(units: amount)!))
    }

    private func state(_ order: Order, _ state: OrderState, _ cause: OrderStateCause, _ remaining: Int128) {
        events.append(
            .state(
                order: order.number, account: order.account, state, cause: cause, remaining: Amount(units: remaining)!))
    }

    /// Ends an order of the book.
    private func end(_ symbol: MarketSymbol, _ index: Int, _ state: OrderState, _ cause: OrderStateCause) {
        let order = books[symbol]!.orders.remove(at: index)
        self.state(order, state, cause, order.remaining)
        release(order, order.hold, symbol)
        remember(order)
    }

    private func remember(_ order: Order) {
        guard let client = order.client else { return }
        endedIDs.append((order.account, client))
        if endedIDs.count > endedIDCountMax { endedIDs.removeFirst() }
    }

    private func match(_ taker: inout Order, _ symbol: MarketSymbol) -> OrderStateCause {
        while taker.remaining > 0 {
            let book = books[symbol]!
            guard let index = book.best(against: taker.side), book.isMet(taker, book.orders[index]) else {
                return .none
            }
            let maker = book.orders[index]
            if maker.account == taker.account, book.listing.selfTradeRule != .allow {
                if book.listing.selfTradeRule != .cancelNewest { end(symbol, index, .cancelled, .selfTrade) }
                if book.listing.selfTradeRule != .cancelOldest { return .selfTrade }
                continue
            }
            var quantity = min(taker.remaining, maker.remaining)
            if taker.hasBudget {
                while quantity > 0, book.cost(maker.price, quantity, taker.fees.taker) > taker.hold {
                    quantity -= book.lot
                }
                if quantity == 0 { return .unfilled }
            }
            trade(&taker, index, quantity, symbol)
        }
        return .none
    }

    private func trade(_ taker: inout Order, _ index: Int, _ quantity: Int128, _ symbol: MarketSymbol) {
        let book = books[symbol]!
        var maker = book.orders[index]
        let quote = book.quote(maker.price, quantity)
        let (buyer, seller) = taker.side == .buy ? (taker, maker) : (maker, taker)
        let buyerRate = taker.side == .buy ? taker.fees.taker : maker.fees.maker
        let sellerRate = taker.side == .buy ? maker.fees.maker : taker.fees.taker
        let inBase = book.listing.feeRule == .received
        let buyerFee = book.fee(inBase ? quantity : quote, buyerRate)
        let sellerFee = book.fee(quote, sellerRate)
        let spent = inBase ? quote : quote + max(0, buyerFee)
        let (baseAsset, quoteAsset) = (symbol.base, symbol.quote)
        tradeCount += 1
        events.append(
            .trade(
                EngineTrade(
                    number: tradeCount, makerOrder: maker.number, makerAccount: maker.account,
                    takerOrder: taker.number, takerAccount: taker.account, takerSide: taker.side,
                    price: Amount(units: maker.price)!, quantity: Amount(units: quantity)!,
                    quote: Amount(units: quote)!, makerFee: Amount(units: taker.side == .buy ? sellerFee : buyerFee)!,
                    takerFee: Amount(units: taker.side == .buy ? buyerFee : sellerFee)!)))
        balances[buyer.account]![quoteAsset]!.held -= spent
        balances[buyer.account]![quoteAsset]!.available += inBase ? 0 : max(0, -buyerFee)
        balances[buyer.account]![baseAsset, default: (0, 0)].available += inBase ? quantity - buyerFee : quantity
        balances[seller.account]![baseAsset]!.held -= quantity
        balances[seller.account]![quoteAsset, default: (0, 0)].available += quote - sellerFee
        house[inBase ? baseAsset : quoteAsset, default: 0] += buyerFee
        house[quoteAsset, default: 0] += sellerFee
        taker.hold -= taker.side == .buy ? spent : quantity
        taker.remaining -= quantity
        taker.hasTraded = true
        maker.hold -= taker.side == .buy ? quantity : spent
        maker.remaining -= quantity
        books[symbol]!.orders[index] = maker
        if maker.remaining == 0 {
            end(symbol, index, .filled, .none)
        } else {
            state(maker, .partiallyFilled, .none, maker.remaining)
            let need = book.need(maker, rate: maker.fees.maker)
            books[symbol]!.orders[index].hold = need
            release(maker, maker.hold - need, symbol)
        }
    }

    private func finish(_ taker: Order, _ stop: OrderStateCause, _ symbol: MarketSymbol) {
        var final: (OrderState, OrderStateCause)?
        if taker.remaining == 0 {
            final = (.filled, .none)
        } else if stop == .selfTrade {
            final = (.cancelled, .selfTrade)
        } else if stop == .unfilled {
            final = taker.isBoundByBudgetAlone && taker.hasTraded ? (.filled, .none) : (.expired, .unfilled)
        } else if taker.timeInForce == .immediateOrCancel || taker.timeInForce == .fillOrKill {
            final = (.expired, .unfilled)
        }
        if let final {
            state(taker, final.0, final.1, taker.isBoundByBudgetAlone ? 0 : taker.remaining)
            release(taker, taker.hold, symbol)
            remember(taker)
            return
        }
        if taker.hasTraded { state(taker, .partiallyFilled, .none, taker.remaining) }
        let need = books[symbol]!.need(taker, rate: taker.fees.maker)
        release(taker, taker.hold - need, symbol)
        var order = taker
        order.hold = need
        order.hasTraded = false
        books[symbol]!.orders.append(order)
    }

    private func find(_ account: Identifier, _ reference: OrderReference) throws(RejectReason) -> (MarketSymbol, Int) {
        guard balances[account] != nil else { throw .unknownAccount }
        for (symbol, book) in books {
            for (index, order) in book.orders.enumerated() where order.account == account {
                switch reference {
                case .number(let number) where number == order.number: return (symbol, index)
                case .clientOrderID(let id) where id == order.client: return (symbol, index)
                default: continue
                }
            }
        }
        throw .unknownOrder
    }

    private func amend(_ amendment: Amendment) throws(RejectReason) {
        let (symbol, index) = try find(amendment.account, amendment.order)
        market = symbol
        let book = books[symbol]!
        guard !book.isHalted else { throw .marketHalted }
        let old = book.orders[index]
        let price = if let price = amendment.price { try self.price(price, book) } else { old.price }
        let quantity = if let quantity = amendment.quantity { try self.quantity(quantity, book) } else { old.quantity }
        guard price != old.price || quantity != old.quantity else { throw .nothingToAmend }
        let filled = old.quantity - old.remaining
        guard quantity > filled else { throw .quantityAlreadyFilled }
        var new = old
        new.price = price
        new.quantity = quantity
        new.remaining = quantity - filled
        let keepsPriority = price == old.price && quantity < old.quantity
        if !keepsPriority { new.fees = fees(of: new.account, book) }
        new.hold = book.need(new, rate: keepsPriority ? old.fees.maker : max(new.fees.maker, new.fees.taker))
        let more = new.hold - old.hold
        guard more <= balances[new.account]![book.scale.symbol(of: new.held)]!.available else {
            throw .insufficientFunds
        }
        if !keepsPriority, new.timeInForce == .postOnly, let best = book.best(against: new.side),
            book.isMet(new, book.orders[best])
        {
            throw .postOnlyWouldTake
        }
        events.append(
            .amended(
                order: new.number, price: Amount(units: price)!, quantity: Amount(units: quantity)!,
                remaining: Amount(units: new.remaining)!, keepsPriority: keepsPriority))
        if more > 0 {
            move(new, more, symbol)
            events.append(.hold(order: new.number, asset: new.held, amount: Amount(units: more)!))
        } else {
            release(new, -more, symbol)
        }
        guard !keepsPriority else {
            books[symbol]!.orders[index] = new
            return
        }
        books[symbol]!.orders.remove(at: index)
        let stop = match(&new, symbol)
        finish(new, stop, symbol)
    }
}
