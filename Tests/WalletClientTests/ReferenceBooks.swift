import TradeModel

/// What the settlement must do, written as plainly as possible: one item at a time, on dictionaries, with no batches,
/// no running sums and arithmetic of its own.
struct ReferenceBooks {
    struct Purse: Hashable {
        /// A customer's id, or `house` and `world` behind a tab, which no id can hold.
        let owner: String
        let asset: String
    }

    struct Money: Equatable {
        var available: Int128 = 0
        var frozen: Int128 = 0
        var version: Int64 = 0
    }

    struct Entry: Equatable {
        let purse: Purse
        let cause: String
        let available: Int128
        let frozen: Int128
        let after: Money
    }

    struct HeldMoney: Equatable {
        let purse: Purse
        var reserved: Int128
        var remaining: Int128
    }

    enum State: String { case pending = "PENDING", settled = "SETTLED", failed = "FAILED" }
    enum Standing { case active, frozen, closed }
    enum Verdict: Hashable { case settled, duplicate, deferred, rejected(FailureClass) }
    struct TradeRecord { let trade: Trade, state: State, place: Int64 }
    struct MarketRules { let base: String, quote: String, priceDecimals: Int, fees: FeeRule }

    static let house = "\thouse"
    static let world = "\tworld"

    var assets: [String: Int] = [:]
    var markets: [String: MarketRules] = [:]
    var accounts: [String: Standing] = [:]
    var purses: [Purse: Money] = [:]
    var holds: [OrderKey: HeldMoney] = [:]
    var trades: [TradeKey: TradeRecord] = [:]
    var operations: [Identifier: Operation] = [:]
    var entries: [Entry] = []
    var lastPlace: Int64 = 0

    func money(_ owner: String, _ asset: String) -> Money { purses[Purse(owner: owner, asset: asset)] ?? Money() }

    /// Stores a trade as PENDING and returns its place in line.
    mutating func accept(_ trade: Trade) -> Int64 {
        lastPlace += 1
        trades[trade.key] = TradeRecord(trade: trade, state: .pending, place: lastPlace)
        return lastPlace
    }

    /// The deposits of a batch open their accounts before anything else of the batch is decided.
    mutating func openAccounts(of batch: [SettlementItem]) {
        for case .operation(let deposit) in batch.map(\.subject)
        where deposit.kind == .deposit && accounts[deposit.account.text] == nil && deposit.amount.isPositive {
            guard let decimals = assets[deposit.asset.text], units(deposit.amount, decimals: decimals) != nil else {
                continue
            }
            accounts[deposit.account.text] = .active
        }
    }

    mutating func decide(_ item: SettlementItem) -> Verdict {
        switch item.subject {
        case .refused(let refused): .rejected(refused.rejection.failureClass)
        case .operation(let operation): decide(operation)
        case .trade(let trade): decide(trade, item.origin)
        }
    }

    // MARK: Trades

    private struct Refusal: Error {
        let failureClass: FailureClass
        var short: String?
    }

    private mutating func decide(_ trade: Trade, _ origin: SettlementItem.Origin) -> Verdict {
        let isRow = if case .pending = origin { true } else { false }
        var place = Int64.max
        if let known = trades[trade.key] {
            if isRow {
                guard known.state == .pending else { return .duplicate }
                place = known.place
            } else {
                return known.trade.hasSameContent(as: trade) ? .duplicate : .rejected(.conflict)
            }
        }
        var next = self
        do {
            try next.settle(trade)
            self = next
            trades[trade.key] = TradeRecord(trade: trade, state: .settled, place: place)
            return .settled
        } catch let refusal as Refusal {
            if let short = refusal.short, hasOlderWaiting(short, than: place) {
                if !isRow { _ = accept(trade) }
                return .deferred
            }
            let takesItsID = [.insufficientFunds, .unknownAccount].contains(refusal.failureClass)
            if isRow || takesItsID {
                trades[trade.key] = TradeRecord(trade: trade, state: .failed, place: place)
            }
            return .rejected(refusal.failureClass)
        } catch { fatalError("\(error)") }
    }

    private func hasOlderWaiting(_ account: String, than place: Int64) -> Bool {
        trades.values.contains {
            $0.state == .pending && $0.place < place && [$0.trade.buyer.text, $0.trade.seller.text].contains(account)
        }
    }

    private mutating func settle(_ trade: Trade) throws {
        guard let market = markets[trade.market.text] else { throw Refusal(failureClass: .unknownMarket) }
        let invalid = Refusal(failureClass: .invalid)
        guard trade.price.isPositive, trade.quantity.isPositive, trade.price.scale <= market.priceDecimals,
            let quantity = units(trade.quantity, decimals: assets[market.base]!),
            let quote = product(trade.price, trade.quantity, decimals: assets[market.quote]!), quote > 0,
            let buyerFee = units(
                trade.buyerFee, decimals: assets[market.fees == .received ? market.base : market.quote]!),
            let sellerFee = units(trade.sellerFee, decimals: assets[market.quote]!),
            sellerFee <= quote, market.fees == .quote || buyerFee <= quantity
        else { throw invalid }
        for party in [trade.buyer.text, trade.seller.text] {
            guard let standing = accounts[party], standing != .closed else {
                throw Refusal(failureClass: .unknownAccount)
            }
        }
        let buyerGets = market.fees == .received ? sum(quantity, -buyerFee) : quantity
        let buyerGives = market.fees == .quote && buyerFee > 0 ? sum(quote, buyerFee) : quote
        guard fits(buyerGets), fits(buyerGives) else { throw invalid }
        let cause = trade.id.text
        try pay(buyerGives, by: trade.buyer.text, in: market.quote, order: trade.buyOrder, trade)
        try pay(quantity, by: trade.seller.text, in: market.base, order: trade.sellOrder, trade)
        guard fits(sum(quote, -sellerFee)) else { throw invalid }
        try book(trade.buyer.text, market.base, buyerGets, 0, cause)
        if market.fees == .quote, buyerFee < 0 { try book(trade.buyer.text, market.quote, -buyerFee, 0, cause) }
        try book(trade.seller.text, market.quote, sum(quote, -sellerFee), 0, cause)
        try book(Self.house, market.fees == .received ? market.base : market.quote, buyerFee, 0, cause)
        try book(Self.house, market.quote, sellerFee, 0, cause)
    }

    private mutating func pay(_ amount: Int128, by owner: String, in asset: String, order: Identifier?, _ trade: Trade)
        throws
    {
        var fromHold: Int128 = 0
        let purse = Purse(owner: owner, asset: asset)
        if let order {
            let key = OrderKey(stream: trade.stream, order: order)
            if var hold = holds[key], hold.purse == purse {
                fromHold = min(hold.remaining, amount)
                hold.remaining -= fromHold
                holds[key] = hold
            }
        }
        guard money(owner, asset).available >= amount - fromHold else {
            throw Refusal(failureClass: .insufficientFunds, short: owner)
        }
        try book(owner, asset, fromHold - amount, -fromHold, trade.id.text)
    }

    private mutating func book(
        _ owner: String, _ asset: String, _ available: Int128, _ frozen: Int128, _ cause: String
    ) throws {
        if available == 0, frozen == 0 { return }
        let purse = Purse(owner: owner, asset: asset)
        var money = purses[purse] ?? Money()
        money.available = sum(money.available, available)
        money.frozen = sum(money.frozen, frozen)
        money.version += 1
        guard fits(money.available), fits(money.frozen) else { throw Refusal(failureClass: .invalid) }
        purses[purse] = money
        entries.append(Entry(purse: purse, cause: cause, available: available, frozen: frozen, after: money))
    }

    // MARK: Operations

    private mutating func decide(_ operation: Operation) -> Verdict {
        guard let decimals = assets[operation.asset.text], operation.amount.isPositive,
            let amount = units(operation.amount, decimals: decimals)
        else { return .rejected(.invalid) }
        if let earlier = operations[operation.key] { return earlier == operation ? .duplicate : .rejected(.conflict) }
        var next = self
        do {
            try next.carryOut(operation, amount)
            next.operations[operation.key] = operation
            self = next
            return .settled
        } catch let refusal as Refusal {
            return .rejected(refusal.failureClass)
        } catch { fatalError("\(error)") }
    }

    private mutating func carryOut(_ operation: Operation, _ amount: Int128) throws {
        let owner = operation.account.text
        let asset = operation.asset.text
        let cause = operation.key.text
        let purse = Purse(owner: owner, asset: asset)
        guard let standing = accounts[owner], standing != .closed else { throw Refusal(failureClass: .unknownAccount) }
        if operation.kind == .withdrawal || operation.kind == .reserve {
            guard standing == .active else { throw Refusal(failureClass: .invalid) }
            guard money(owner, asset).available >= amount else { throw Refusal(failureClass: .insufficientFunds) }
        }
        switch operation.kind {
        case .deposit:
            try book(owner, asset, amount, 0, cause)
            try book(Self.world, asset, -amount, 0, cause)
        case .withdrawal:
            try book(owner, asset, -amount, 0, cause)
            try book(Self.world, asset, amount, 0, cause)
        case .reserve:
            guard let order = operation.order else { throw Refusal(failureClass: .invalid) }
            var hold = holds[order] ?? HeldMoney(purse: purse, reserved: 0, remaining: 0)
            guard hold.purse == purse else { throw Refusal(failureClass: .conflict) }
            hold.reserved = sum(hold.reserved, amount)
            hold.remaining = sum(hold.remaining, amount)
            guard fits(hold.reserved) else { throw Refusal(failureClass: .invalid) }
            holds[order] = hold
            try book(owner, asset, -amount, amount, cause)
        case .release:
            guard let order = operation.order, var hold = holds[order], hold.purse == purse else {
                throw Refusal(failureClass: .invalid)
            }
            guard hold.remaining >= amount else { throw Refusal(failureClass: .insufficientFunds) }
            hold.remaining -= amount
            holds[order] = hold
            try book(owner, asset, amount, -amount, cause)
        }
    }
}

// MARK: Arithmetic on written digits

/// A sum that Int128 does not hold has too many digits in any case.
private func sum(_ left: Int128, _ right: Int128) -> Int128 {
    let (sum, overflow) = left.addingReportingOverflow(right)
    return overflow ? (left < 0 ? .min : .max) : sum
}

private func fits(_ value: Int128) -> Bool { String(value.magnitude).count <= 38 }

/// The number in smallest units, by moving its point.
private func units(_ number: DecimalNumber, decimals: Int) -> Int128? {
    let parts = String(number.description.drop { $0 == "-" }).split(separator: ".")
    let fraction = parts.count == 2 ? String(parts[1]) : ""
    guard fraction.count <= decimals else { return nil }
    let digits = String(parts[0]) + fraction + String(repeating: "0", count: decimals - fraction.count)
    return wholeNumber(digits).map { number.isNegative ? -$0 : $0 }
}

/// Multiplies as on paper, and cuts off what is behind the last decimal.
private func product(_ left: DecimalNumber, _ right: DecimalNumber, decimals: Int) -> Int128? {
    let leftDigits = String(left.coefficient).reversed().map { $0.wholeNumberValue! }
    let rightDigits = String(right.coefficient).reversed().map { $0.wholeNumberValue! }
    var result = [Int](repeating: 0, count: leftDigits.count + rightDigits.count)
    for (place, digit) in leftDigits.enumerated() {
        for (otherPlace, other) in rightDigits.enumerated() { result[place + otherPlace] += digit * other }
    }
    for place in result.indices.dropLast() {
        result[place + 1] += result[place] / 10
        result[place] %= 10
    }
    let shift = decimals - left.scale - right.scale
    if shift < 0 { result.removeFirst(min(-shift, result.count)) }
    return wholeNumber(
        result.reversed().map(String.init).joined() + String(repeating: "0", count: max(0, shift)))
}

private func wholeNumber(_ digits: String) -> Int128? {
    let significant = digits.drop { $0 == "0" }
    if significant.isEmpty { return 0 }
    return significant.count <= 38 ? Int128(significant) : nil
}
