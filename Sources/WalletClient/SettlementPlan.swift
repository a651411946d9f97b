import Repository
import TradeModel

/// What a batch does, decided item by item on running balances: a trade may spend what an earlier one brought.
///
/// Pure: the same batch and books give the same plan. Whether the books were right is asked in the write, by the
/// conditions that each balance's change carries.
struct SettlementPlan {
    /// One posting to a balance, in the order in which they happen.
    struct Entry {
        let slot: Int
        let kind: EntryKind
        let market: MarketNumber?
        let cause: Identifier
        let availableDelta: Amount
        let frozenDelta: Amount
        /// The running sums of the slot after this entry, and its place among the slot's entries, from 1.
        let availableSum: Amount
        let frozenSum: Amount
        let ordinal: Int64
    }

    /// One balance while the batch runs over it. Sums count from the balance before the batch.
    struct Slot {
        let key: BalanceKey
        let start: Balance
        let isFresh: Bool
        var availableSum = Amount.zero
        var frozenSum = Amount.zero
        var availableLowest = Amount.zero
        var frozenLowest = Amount.zero
        var entryCount: Int64 = 0
        var ceiling: Amount?
    }

    private(set) var outcomes: [Outcome] = []
    private(set) var entries: [Entry] = []
    private(set) var slots: [Slot] = []
    private(set) var operations: [NewOperation] = []
    /// Balances on which something was rejected and that were not read for this plan.
    private(set) var stale: Set<BalanceKey> = []
    /// Accounts because of whose status something was rejected and that were not read for this plan.
    private(set) var staleAccounts: Set<Identifier> = []
    /// Accounts that lack money and may have older trades waiting.
    private(set) var shortOfFunds: Set<Identifier> = []
    /// Accounts that were missing.
    private(set) var unknownAccounts: Set<Identifier> = []

    private var slotOfKey: [BalanceKey: Int] = [:]
    private var holdsNow: [OrderKey: Hold] = [:]
    private var decidedTrades: [TradeKey: Trade] = [:]
    private var decidedOperations: [Identifier: Operation] = [:]
    /// Accounts whose trades this batch makes wait, and the place in line of the first of these.
    private var deferredAccounts: [Identifier: Int64] = [:]
    /// What the batch holds after the item at hand, and who lacked money for that item.
    private var later: ArraySlice<SettlementItem> = []
    private var lacksMoney: Identifier?
    /// The slots that the item at hand has changed, as they were, to be put back if it is rejected after all.
    private var undo: [(index: Int, slot: Slot)] = []
    private var undoHolds: [(key: OrderKey, hold: Hold?)] = []
    private var entriesBefore = 0
    /// Why nothing of the batch is to be settled; nil in the usual case.
    private let parking: Rejection?

    /// - Parameter parking: everything that was not decided before is rejected for this reason.
    init(_ batch: [SettlementItem], on books: Books, parking: Rejection? = nil) {
        self.parking = parking
        outcomes.reserveCapacity(batch.count)
        entries.reserveCapacity(batch.count * 6)
        slots.reserveCapacity(batch.count * 4)
        slotOfKey.reserveCapacity(batch.count * 4)
        for (place, item) in batch.enumerated() {
            later = batch[(place + 1)...]
            outcomes.append(decide(item, books))
        }
    }

    /// Whether a trade or an operation is rejected.
    var hasRejections: Bool { outcomes.contains { if case .rejected = $0 { true } else { false } } }

    /// The changes of the balances, in the order of their keys.
    var balanceChanges: [BalanceChange] {
        slots.lazy
            .filter { $0.entryCount > 0 || $0.ceiling != nil }
            .map {
                BalanceChange(
                    key: $0.key, availableDelta: $0.availableSum, frozenDelta: $0.frozenSum,
                    entryCount: $0.entryCount, availableLowest: $0.availableLowest, frozenLowest: $0.frozenLowest,
                    ceiling: $0.ceiling)
            }
            .sorted { $0.key < $1.key }
    }

    /// The balances that need a row first, in the order of their keys.
    var balancesToOpen: [(key: BalanceKey, lowest: Amount?)] {
        slots.lazy
            .filter { !$0.start.isStored && ($0.entryCount > 0 || $0.ceiling != nil) }
            .map { (key: $0.key, lowest: $0.start.lowest) }
            .sorted { $0.key < $1.key }
    }

    func holdChanges(_ books: Books) -> [HoldChange] {
        holdsNow.filter { $0.value != books.holds[$0.key] }
            .map { HoldChange(key: $0.key, before: books.holds[$0.key], after: $0.value) }
            .sorted { $0.key < $1.key }
    }

    // MARK: Deciding

    private mutating func decide(_ item: SettlementItem, _ books: Books) -> Outcome {
        begin()
        return switch item.subject {
        case .refused(let refused): isGone(item, books) ? .duplicate : .rejected(refused.rejection)
        case .trade(let trade): decide(trade, item.origin, books)
        case .operation(let operation): decide(operation, books)
        }
    }

    /// Whether a claimed row waits no longer: somebody else decided it, or took it away.
    private func isGone(_ item: SettlementItem, _ books: Books) -> Bool {
        guard item.receivedSequence != nil, let key = item.tradeKey, books.claimsAreKnown else { return false }
        return books.trades[key]?.status != .pending
    }

    private mutating func decide(_ trade: Trade, _ origin: SettlementItem.Origin, _ books: Books) -> Outcome {
        if let earlier = decidedTrades[trade.key] {
            return earlier.hasSameContent(as: trade) ? .duplicate : .rejected(conflict(trade, with: earlier))
        }
        let isClaimedRow = if case .pending = origin { true } else { false }
        if let recorded = books.trades[trade.key] {
            switch recorded.status {
            case .pending where isClaimedRow: break
            case _ where isClaimedRow || recorded.trade?.hasSameContent(as: trade) == true:
                guard let batch = recorded.batch, batch == books.lostBatch else { return .duplicate }
                decidedTrades[trade.key] = trade
                return recorded.status == .settled
                    ? .settled : .rejected(Rejection(.invalid, "parked; its dead letter says why"))
            default:
                return .rejected(conflict(trade, with: recorded.trade))
            }
        } else if isClaimedRow, books.claimsAreKnown {
            return .duplicate
        }
        let outcome = decideNew(trade, origin, books)
        // What takes no id in the books stands in nobody's way, in the batch as little as after it.
        if case .rejected(let rejection) = outcome, !isClaimedRow, !rejection.failureClass.claimsTradeID {
            return outcome
        }
        decidedTrades[trade.key] = trade
        return outcome
    }

    private mutating func decideNew(_ trade: Trade, _ origin: SettlementItem.Origin, _ books: Books) -> Outcome {
        if let parking { return .rejected(parking) }
        do {
            try settle(trade, books)
            return .settled
        } catch {
            takeBack()
            // A message has no place yet; it comes after all that have one, and after the messages before it.
            let place = if case .pending(let sequence, _) = origin { sequence } else { Int64.max }
            if error.failureClass == .insufficientFunds, let lacksMoney, mustWait(for: lacksMoney, place, books) {
                for account in [trade.buyer, trade.seller] {
                    deferredAccounts[account] = min(deferredAccounts[account] ?? .max - 1, place)
                }
                return .deferred
            }
            return .rejected(error)
        }
    }

    private func conflict(_ trade: Trade, with other: Trade?) -> Rejection {
        guard let other else { return Rejection(.conflict, "trade \(trade.key) exists with other content") }
        return Rejection(.conflict, "trade \(trade.key) exists with other content: \(trade.differences(from: other))")
    }

    /// Whether an older trade of the account that lacks money is still waiting, and may bring it.
    private func mustWait(for account: Identifier, _ place: Int64, _ books: Books) -> Bool {
        if (deferredAccounts[account] ?? .max) < place || (books.oldestWaiting[account] ?? .max) < place {
            return true
        }
        for item in later {
            if let sequence = item.receivedSequence, sequence < place, item.accounts.contains(account) { return true }
        }
        return false
    }

    // MARK: Trades

    private mutating func settle(_ trade: Trade, _ books: Books) throws(Rejection) {
        guard let market = books.catalog.markets[trade.market] else {
            throw Rejection(.unknownMarket, "there is no market \(trade.market)")
        }
        let terms = try TradeTerms(trade, market: market)
        let buyer = try account(trade.buyer, "buyer", books)
        let seller = try account(trade.seller, "seller", books)

        let base = market.base
        let quote = market.quote
        var buyerGives = terms.quote
        var buyerGets = terms.quantity
        var rebate = Amount.zero
        let overflow = Rejection(.invalid, "an amount has more than 38 digits")
        do {
            switch market.feeRule {
            case .received: buyerGets = try buyerGets.subtracting(terms.buyerFee)
            case .quote where terms.buyerFee.isNegative: rebate = terms.buyerFee.negated
            case .quote: buyerGives = try buyerGives.adding(terms.buyerFee)
            }
        } catch { throw overflow }

        // Both must have what they give before either receives.
        try give(
            Gift(account: buyer, role: "buyer", asset: quote, amount: buyerGives, order: trade.buyOrder),
            trade, market, books)
        try give(
            Gift(account: seller, role: "seller", asset: base, amount: terms.quantity, order: trade.sellOrder),
            trade, market, books)
        do {
            try post(buyer.number, base, buyerGets, .trade, trade.id, market, books)
            try post(buyer.number, quote, rebate, .fee, trade.id, market, books)
            try post(
                seller.number, quote, terms.quote.subtracting(terms.sellerFee), .trade, trade.id, market, books)
            let feeAsset = market.feeRule == .received ? base : quote
            try post(books.house, feeAsset, terms.buyerFee, .fee, trade.id, market, books)
            try post(books.house, quote, terms.sellerFee, .fee, trade.id, market, books)
        } catch { throw overflow }
    }

    private mutating func account(_ id: Identifier, _ role: String, _ books: Books) throws(Rejection) -> Account {
        guard let account = books.accounts[id] else {
            unknownAccounts.insert(id)
            throw Rejection(.unknownAccount, "there is no account \(id) (the \(role)); a first deposit opens it")
        }
        guard account.status != .closed else {
            judge(account, books)
            throw Rejection(.unknownAccount, "account \(id) (the \(role)) is closed")
        }
        return account
    }

    /// Something is rejected because of the account's status.
    private mutating func judge(_ account: Account, _ books: Books) {
        if !books.freshAccounts.contains(account.id) { staleAccounts.insert(account.id) }
    }

    /// What one side pays.
    private struct Gift {
        let account: Account
        let role: String
        let asset: Asset
        let amount: Amount
        let order: Identifier?
    }

    /// Takes what one side gives: from the hold of its order first, the rest from what is available.
    private mutating func give(_ gift: Gift, _ trade: Trade, _ market: Market, _ books: Books) throws(Rejection) {
        let key = BalanceKey(account: gift.account.number, asset: gift.asset.number)
        let index = slot(key, books)
        var fromHold = Amount.zero
        if let order = gift.order.map({ OrderKey(stream: trade.stream, order: $0) }),
            var hold = holdsNow[order] ?? books.holds[order],
            hold.account == gift.account.number, hold.asset == gift.asset.number
        {
            fromHold = min(hold.remaining, gift.amount)
            undoHolds.append((order, holdsNow[order]))
            hold.remaining = difference(hold.remaining, fromHold)
            holdsNow[order] = hold
        }
        let rest = difference(gift.amount, fromHold)
        try requireFunds(rest, in: index, of: gift, held: fromHold, books)
        do {
            try change(
                index, available: rest.negated, frozen: fromHold.negated, .trade, trade.id, market.number)
        } catch { throw Rejection(.invalid, "an amount has more than 38 digits") }
    }

    private mutating func requireFunds(
        _ amount: Amount, in index: Int, of gift: Gift, held: Amount, _ books: Books
    ) throws(Rejection) {
        guard let missing = shortfall(amount, in: index, books) else { return }
        shortOfFunds.insert(gift.account.id)
        lacksMoney = gift.account.id
        let heldText = held > .zero ? " and \(gift.asset.text(held)) held for its order" : ""
        throw Rejection(
            .insufficientFunds,
            "\(gift.role) \(gift.account.id) has \(gift.asset.text(availableNow(index))) available\(heldText), "
                + "needs \(gift.asset.text(gift.amount)): \(gift.asset.text(missing)) missing")
    }

    // MARK: Operations

    private mutating func decide(_ operation: Operation, _ books: Books) -> Outcome {
        guard let asset = books.catalog.assets[operation.asset] else {
            return .rejected(Rejection(.invalid, "there is no asset \(operation.asset)"))
        }
        guard operation.amount.isPositive, let amount = operation.amount.amount(decimals: asset.decimals) else {
            return .rejected(
                Rejection(
                    .invalid,
                    operation.amount.isPositive
                        ? "amount \(operation.amount) does not fit \(asset.symbol), which has \(asset.decimals) decimals"
                        : "amount \(operation.amount) is not positive"))
        }
        if let earlier = decidedOperations[operation.key] {
            return earlier == operation
                ? .duplicate
                : .rejected(Rejection(.conflict, "key \(operation.key) was used for another operation"))
        }
        if let recorded = books.operations[operation.key] {
            guard
                recorded.kind == operation.kind, recorded.account == operation.account,
                recorded.asset == asset.number, recorded.amount == amount, recorded.order == operation.order
            else {
                return .rejected(Rejection(.conflict, "key \(operation.key) was used for another operation"))
            }
            guard recorded.batch == books.lostBatch else { return .duplicate }
            decidedOperations[operation.key] = operation
            return .settled
        }
        if let parking { return .rejected(parking) }
        do {
            try apply(operation, asset, amount, books)
            decidedOperations[operation.key] = operation
            return .settled
        } catch {
            takeBack()
            return .rejected(error)
        }
    }

    private mutating func apply(
        _ operation: Operation, _ asset: Asset, _ amount: Amount, _ books: Books
    ) throws(Rejection) {
        guard let account = books.accounts[operation.account] else {
            unknownAccounts.insert(operation.account)
            throw Rejection(.unknownAccount, "there is no account \(operation.account); a first deposit opens it")
        }
        guard account.status != .closed else {
            judge(account, books)
            throw Rejection(.unknownAccount, "account \(account.id) is closed")
        }
        if account.status == .frozen, operation.kind == .withdrawal || operation.kind == .reserve {
            judge(account, books)
            throw Rejection(.invalid, "account \(account.id) is frozen")
        }
        let index = slot(BalanceKey(account: account.number, asset: asset.number), books)
        if operation.kind == .withdrawal || operation.kind == .reserve,
            let missing = shortfall(amount, in: index, books)
        {
            throw Rejection(
                .insufficientFunds,
                "account \(account.id) has \(asset.text(availableNow(index))) available, needs \(asset.text(amount)): "
                    + "\(asset.text(missing)) missing")
        }
        do {
            switch operation.kind {
            case .deposit:
                try change(index, available: amount, frozen: .zero, .deposit, operation.key, nil)
                try change(
                    slot(BalanceKey(account: books.world, asset: asset.number), books),
                    available: amount.negated, frozen: .zero, .deposit, operation.key, nil)
            case .withdrawal:
                try change(index, available: amount.negated, frozen: .zero, .withdrawal, operation.key, nil)
                try change(
                    slot(BalanceKey(account: books.world, asset: asset.number), books),
                    available: amount, frozen: .zero, .withdrawal, operation.key, nil)
            case .reserve:
                try hold(operation, account, asset, amount, books)
                try change(index, available: amount.negated, frozen: amount, .reserve, operation.key, nil)
            case .release:
                try release(operation, account, asset, amount, books)
                try change(index, available: amount, frozen: amount.negated, .release, operation.key, nil)
            }
        } catch let rejection as Rejection {
            throw rejection
        } catch { throw Rejection(.invalid, "the balance would have more than 38 digits") }
        operations.append(
            NewOperation(operation: operation, account: account.number, asset: asset.number, amount: amount))
    }

    private mutating func hold(
        _ operation: Operation, _ account: Account, _ asset: Asset, _ amount: Amount, _ books: Books
    ) throws {
        guard let order = operation.order else { throw Rejection(.invalid, "a reserve names its order") }
        var hold =
            holdsNow[order] ?? books.holds[order]
            ?? Hold(account: account.number, asset: asset.number, reserved: .zero, remaining: .zero)
        guard hold.account == account.number, hold.asset == asset.number else {
            throw Rejection(.conflict, "order \(order.order) holds money of another account or asset")
        }
        undoHolds.append((order, holdsNow[order]))
        hold.reserved = try hold.reserved.adding(amount)
        hold.remaining = try hold.remaining.adding(amount)
        holdsNow[order] = hold
    }

    private mutating func release(
        _ operation: Operation, _ account: Account, _ asset: Asset, _ amount: Amount, _ books: Books
    ) throws {
        guard let order = operation.order else { throw Rejection(.invalid, "a release names its order") }
        guard var hold = holdsNow[order] ?? books.holds[order], hold.account == account.number,
            hold.asset == asset.number
        else {
            throw Rejection(.invalid, "account \(account.id) holds no \(asset.symbol) for order \(order.order)")
        }
        guard hold.remaining >= amount else {
            throw Rejection(
                .insufficientFunds,
                "order \(order.order) has \(asset.text(hold.remaining)) left on hold, "
                    + "less than the \(asset.text(amount)) to be released")
        }
        undoHolds.append((order, holdsNow[order]))
        hold.remaining = difference(hold.remaining, amount)
        holdsNow[order] = hold
    }

    // MARK: Running balances

    private mutating func begin() {
        lacksMoney = nil
        undo.removeAll(keepingCapacity: true)
        undoHolds.removeAll(keepingCapacity: true)
        entriesBefore = entries.count
    }

    /// Puts everything back as it was before the item at hand, but for the conditions of its rejection.
    private mutating func takeBack() {
        for (index, slot) in undo.reversed() {
            let ceiling = slots[index].ceiling
            slots[index] = slot
            slots[index].ceiling = ceiling
        }
        for (key, hold) in undoHolds.reversed() { holdsNow[key] = hold }
        entries.removeSubrange(entriesBefore...)
    }

    private mutating func slot(_ key: BalanceKey, _ books: Books) -> Int {
        if let index = slotOfKey[key] { return index }
        let start = books.balances[key] ?? books.noBalance(key)
        slots.append(Slot(key: key, start: start, isFresh: books.fresh.contains(key)))
        slotOfKey[key] = slots.count - 1
        return slots.count - 1
    }

    private func availableNow(_ index: Int) -> Amount {
        sum(slots[index].start.available, slots[index].availableSum)
    }

    /// What is missing of an amount, or nil when it is there. What was missing becomes a condition of the write.
    private mutating func shortfall(_ amount: Amount, in index: Int, _ books: Books) -> Amount? {
        guard let lowest = slots[index].start.lowest, amount > .zero else { return nil }
        // With a credit line there can be more than a balance holds: nothing is missing then.
        guard let free = try? availableNow(index).subtracting(lowest), free < amount else { return nil }
        let missing = difference(amount, free)
        // Rejected because the balance before the batch was what it was, or less; one unit more of what was missing
        // would have changed that.
        // What no balance can reach sets no bound.
        let enough = try? slots[index].start.available.adding(missing)
        let ceiling = enough.map { difference($0, Amount(integerLiteral: 1)) } ?? .maximum
        slots[index].ceiling = min(slots[index].ceiling ?? ceiling, ceiling)
        if !slots[index].isFresh { stale.insert(slots[index].key) }
        return missing
    }

    private mutating func post(
        _ account: AccountNumber, _ asset: Asset, _ amount: Amount, _ kind: EntryKind, _ cause: Identifier,
        _ market: Market, _ books: Books
    ) throws(AmountOverflow) {
        guard amount != .zero else { return }
        try change(
            slot(BalanceKey(account: account, asset: asset.number), books), available: amount, frozen: .zero, kind,
            cause, market.number)
    }

    private mutating func change(
        _ index: Int, available: Amount, frozen: Amount, _ kind: EntryKind, _ cause: Identifier,
        _ market: MarketNumber?
    ) throws(AmountOverflow) {
        undo.append((index, slots[index]))
        let availableSum = try slots[index].availableSum.adding(available)
        let frozenSum = try slots[index].frozenSum.adding(frozen)
        // The balance itself must stay within bounds as well, not only what the batch adds to it.
        do {
            _ = try slots[index].start.available.adding(availableSum)
            _ = try slots[index].start.frozen.adding(frozenSum)
        } catch {
            if !slots[index].isFresh { stale.insert(slots[index].key) }
            throw error
        }
        slots[index].availableSum = availableSum
        slots[index].frozenSum = frozenSum
        slots[index].availableLowest = min(slots[index].availableLowest, availableSum)
        slots[index].frozenLowest = min(slots[index].frozenLowest, frozenSum)
        slots[index].entryCount += 1
        entries.append(
            Entry(
                slot: index, kind: kind, market: market, cause: cause, availableDelta: available, frozenDelta: frozen,
                availableSum: availableSum, frozenSum: frozenSum, ordinal: slots[index].entryCount))
    }

    private func sum(_ left: Amount, _ right: Amount) -> Amount {
        guard let sum = try? left.adding(right) else { preconditionFailure("running balances stay within bounds") }
        return sum
    }

    private func difference(_ left: Amount, _ right: Amount) -> Amount {
        sum(left, right.negated)
    }
}
