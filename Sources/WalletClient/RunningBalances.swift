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
        let place: AccountMemory.Place
        var sums = Sums()
        var ceiling: Amount?

        var isToBeWritten: Bool { sums.entryCount > 0 || ceiling != nil }
    }

    struct Sums {
        var available = Amount.zero
        var frozen = Amount.zero
        var availableLowest = Amount.zero
        var frozenLowest = Amount.zero
        var entryCount: Int64 = 0
    }

    private(set) var entries: [Entry] = []
    private(set) var slots: [Slot] = []
    /// Balances on which something was rejected and that were not read for this plan.
    private(set) var stale: Set<AccountMemory.Place> = []

    private var slotOfPlace: HashedPlaces
    private var holdsNow: [OrderKey: Hold] = [:]
    /// The slots that the item at hand has changed, as they were, to be put back if it is rejected after all.
    private var undo: [(index: Int, sums: Sums)] = []
    private var undoHolds: [(key: OrderKey, hold: Hold?)] = []
    private var entriesBefore = 0

    init(itemCount: Int) {
        entries.reserveCapacity(itemCount * 6)
        slots.reserveCapacity(itemCount * 4)
        slotOfPlace = HashedPlaces(countMax: itemCount * ItemPlaces.Leg.allCases.count)
    }

    /// Before each item: what follows can be taken back.
    mutating func begin() {
        undo.removeAll(keepingCapacity: true)
        undoHolds.removeAll(keepingCapacity: true)
        entriesBefore = entries.count
    }

    /// Puts everything back as it was before the item at hand, but for the conditions of its rejection.
    mutating func takeBack() {
        for (index, sums) in undo.reversed() { slots[index].sums = sums }
        for (key, hold) in undoHolds.reversed() { holdsNow[key] = hold }
        entries.removeSubrange(entriesBefore...)
    }

    /// The slot of a balance that the batch touches.
    mutating func slot(_ place: AccountMemory.Place) -> Int {
        let hash = HashedPlaces.hash(of: place)
        if let index = slotOfPlace.find(hash, where: { slots[Int($0)].place == place }) { return Int(index) }
        slots.append(Slot(place: place))
        slotOfPlace.insert(Int32(slots.count - 1), under: hash)
        return slots.count - 1
    }

    func availableNow(_ index: Int, _ books: Books) -> Amount {
        sum(start(index, books).available, slots[index].sums.available)
    }

    private func start(_ index: Int, _ books: Books) -> Balance { books.memory[balance: slots[index].place].balance }

    private mutating func judge(_ index: Int, _ books: Books) {
        if !books.memory.isFresh(balance: slots[index].place) { stale.insert(slots[index].place) }
    }

    /// What is missing of an amount, or nil when it is there. What was missing becomes a condition of the write.
    mutating func shortfall(_ amount: Amount, in index: Int, _ books: Books) -> Amount? {
        let start = start(index, books)
        guard let lowest = start.lowest, amount > .zero else { return nil }
        // With a credit line there can be more than a balance holds: nothing is missing then.
        let now = sum(start.available, slots[index].sums.available)
        guard let free = try? now.subtracting(lowest), free < amount else { return nil }
        let missing = difference(amount, free)
        // Rejected because the balance before the batch was what it was, or less; one unit more of what was missing
        // would have changed that.
        // What no balance can reach sets no bound.
        let enough = try? start.available.adding(missing)
        let ceiling = enough.map { difference($0, Amount(integerLiteral: 1)) } ?? .maximum
        slots[index].ceiling = min(slots[index].ceiling ?? ceiling, ceiling)
        judge(index, books)
        return missing
    }

    mutating func post(
        _ place: AccountMemory.Place, _ amount: Amount, _ kind: EntryKind, _ cause: Identifier, _ market: Market,
        _ books: Books
    ) throws(AmountOverflow) {
        guard amount != .zero else { return }
        try change(slot(place), available: amount, frozen: .zero, kind, cause, market.number, books)
    }

    /// Changes a balance by one entry.
    mutating func change(
        _ index: Int, available: Amount, frozen: Amount, _ kind: EntryKind, _ cause: Identifier,
        _ market: MarketNumber?, _ books: Books
    ) throws(AmountOverflow) {
        var sums = slots[index].sums
        undo.append((index, sums))
        sums.available = try sums.available.adding(available)
        sums.frozen = try sums.frozen.adding(frozen)
        // The balance itself must stay within bounds as well, not only what the batch adds to it.
        do {
            let start = start(index, books)
            _ = try start.available.adding(sums.available)
            _ = try start.frozen.adding(sums.frozen)
        } catch {
            judge(index, books)
            throw error
        }
        sums.availableLowest = min(sums.availableLowest, sums.available)
        sums.frozenLowest = min(sums.frozenLowest, sums.frozen)
        sums.entryCount += 1
        slots[index].sums = sums
        entries.append(
            Entry(
                slot: index, kind: kind, market: market, cause: cause, availableDelta: available, frozenDelta: frozen,
                availableSum: sums.available, frozenSum: sums.frozen, ordinal: sums.entryCount))
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

    /// The slots whose balances change or are conditions, in the order of the balances' keys.
    func changedSlots(_ books: Books) -> [Int] {
        var keys: [(key: BalanceKey, slot: Int)] = []
        keys.reserveCapacity(slots.count)
        for (index, slot) in slots.enumerated() where slot.isToBeWritten {
            keys.append((books.memory[balance: slot.place].key, index))
        }
        keys.sort { $0.key < $1.key }
        return keys.map(\.slot)
    }

    /// What is done to the balance of a slot.
    func change(of index: Int, _ books: Books) -> BalanceChange {
        let slot = slots[index]
        let before = books.memory[balance: slot.place]
        return BalanceChange(
            key: before.key, availableDelta: slot.sums.available, frozenDelta: slot.sums.frozen,
            entryCount: slot.sums.entryCount, availableLowest: slot.sums.availableLowest,
            frozenLowest: slot.sums.frozenLowest, ceiling: slot.ceiling,
            line: slot.ceiling == nil ? nil : before.balance.lowest)
    }

    func holdChanges(_ books: Books) -> [HoldChange] {
        holdsNow.filter { $0.value != books.holds[$0.key] }
            .map { HoldChange(key: $0.key, before: books.holds[$0.key], after: $0.value) }
            .sorted { $0.key < $1.key }
    }
}
