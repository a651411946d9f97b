import Repository
import TradeModel

/// The balances and holds that a batch touches, while it runs over them.
struct RunningBalances {
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

    private(set) var entries: [Entry] = []
    private(set) var slots: [Slot] = []
    /// Balances on which something was rejected and that were not read for this plan.
    private(set) var stale: Set<BalanceKey> = []

    private var slotOfKey: [BalanceKey: Int] = [:]
    private var holdsNow: [OrderKey: Hold] = [:]
    /// The slots that the item at hand has changed, as they were, to be put back if it is rejected after all.
    private var undo: [(index: Int, slot: Slot)] = []
    private var undoHolds: [(key: OrderKey, hold: Hold?)] = []
    private var entriesBefore = 0

    init(itemCount: Int) {
        entries.reserveCapacity(itemCount * 6)
        slots.reserveCapacity(itemCount * 4)
        slotOfKey.reserveCapacity(itemCount * 4)
    }

    /// Before each item: what follows can be taken back.
    mutating func begin() {
        undo.removeAll(keepingCapacity: true)
        undoHolds.removeAll(keepingCapacity: true)
        entriesBefore = entries.count
    }

    /// Puts everything back as it was before the item at hand, but for the conditions of its rejection.
    mutating func takeBack() {
        for (index, slot) in undo.reversed() {
            let ceiling = slots[index].ceiling
            slots[index] = slot
            slots[index].ceiling = ceiling
        }
        for (key, hold) in undoHolds.reversed() { holdsNow[key] = hold }
        entries.removeSubrange(entriesBefore...)
    }

    /// The place of a balance among those that the batch touches.
    mutating func slot(_ key: BalanceKey, _ books: Books) -> Int {
        if let index = slotOfKey[key] { return index }
        let start = books.balances[key] ?? books.noBalance(key)
        slots.append(Slot(key: key, start: start, isFresh: books.fresh.contains(key)))
        slotOfKey[key] = slots.count - 1
        return slots.count - 1
    }

    func availableNow(_ index: Int) -> Amount {
        sum(slots[index].start.available, slots[index].availableSum)
    }

    /// What is missing of an amount, or nil when it is there. What was missing becomes a condition of the write.
    mutating func shortfall(_ amount: Amount, in index: Int) -> Amount? {
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

    mutating func post(
        _ account: AccountNumber, _ asset: Asset, _ amount: Amount, _ kind: EntryKind, _ cause: Identifier,
        _ market: Market, _ books: Books
    ) throws(AmountOverflow) {
        guard amount != .zero else { return }
        try change(
            slot(BalanceKey(account: account, asset: asset.number), books), available: amount, frozen: .zero, kind,
            cause, market.number)
    }

    /// Changes a balance by one entry.
    mutating func change(
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

    func hold(for order: OrderKey, _ books: Books) -> Hold? {
        holdsNow[order] ?? books.holds[order]
    }

    mutating func setHold(_ hold: Hold, for order: OrderKey) {
        undoHolds.append((order, holdsNow[order]))
        holdsNow[order] = hold
    }

    private func sum(_ left: Amount, _ right: Amount) -> Amount {
        guard let sum = try? left.adding(right) else { preconditionFailure("running balances stay within bounds") }
        return sum
    }

    private func difference(_ left: Amount, _ right: Amount) -> Amount {
        sum(left, right.negated)
    }

    // MARK: What is to be written

    /// The changes of the balances, in the order of their keys.
    var changes: [BalanceChange] {
        slots.lazy
            .filter { $0.entryCount > 0 || $0.ceiling != nil }
            .map {
                BalanceChange(
                    key: $0.key, availableDelta: $0.availableSum, frozenDelta: $0.frozenSum,
                    entryCount: $0.entryCount, availableLowest: $0.availableLowest, frozenLowest: $0.frozenLowest,
                    ceiling: $0.ceiling, line: $0.ceiling == nil ? nil : $0.start.lowest)
            }
            .sorted { $0.key < $1.key }
    }

    /// The balances that need a row first, in the order of their keys.
    var toOpen: [(key: BalanceKey, lowest: Amount?)] {
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
}
