import Repository
import TradeModel

/// The rows that a plan comes to, and the statements that write them in the one order of tables that all writers keep:
/// trades, operations, dead letters, holds, balances, entries.
struct BatchWrite {
    /// The first gives the batch its number.
    let requests: [Request]
    /// Whether there is nothing to write.
    let isEmpty: Bool
    let letters: [NewLetter]
    let settledCount: Int
    private let plan: SettlementPlan
    /// The slots of the balances that are written, in the order in which they are.
    private let changedSlots: [Int]
    /// How many rows a statement must write; its place is that in `requests`.
    private let expectedRows: [(request: Int, count: Int)]
    private let applyRequest: Int?
    private let absenceRequest: Int?
    private let marketsAbsenceRequest: Int?
    private let obstaclesRequest: Int?
    /// The accounts that were frozen or closed when the batch was planned, and the markets that were halted.
    private var planned = Obstacles()
    /// The markets of the batch.
    private let markets: Set<MarketNumber>

    init(
        _ batch: [SettlementItem], _ plan: SettlementPlan, _ books: Books, after newest: BatchNumber, parking: Parking?,
        configuration: WalletConfiguration
    ) {
        self.plan = plan
        changedSlots = plan.balances.changedSlots(books)
        let sorted = SortedItems(batch, plan.outcomes, books, parking, configuration)
        letters = sorted.letters
        settledCount = sorted.decided.settledCount + sorted.finished.count { $0.status == .settled }

        var requests: [Request] = []
        var expectedRows: [(request: Int, count: Int)] = []
        func expect(_ count: Int) { expectedRows.append((requests.count - 1, count)) }

        requests.append(BatchStore.enter(plan.judgedMarkets, after: newest))
        if !plan.unknownMarkets.isEmpty { requests.append(CatalogStore.addNoMarkets) }
        if !sorted.decided.isEmpty { requests.append(TradeStore.insert(sorted.decided)) }
        if !sorted.finished.isEmpty {
            requests.append(TradeStore.finishWaiting(sorted.finished))
            expect(sorted.finished.count)
        }
        if !sorted.putBack.isEmpty {
            requests.append(
                TradeStore.putBack(
                    sorted.putBack, delayMilliseconds: configuration.limits.deferralMilliseconds,
                    delayMillisecondsMax: configuration.limits.deferralMillisecondsMax))
        }
        if !plan.operations.isEmpty {
            let operations = plan.operations.sorted { $0.operation.key < $1.operation.key }
            requests.append(OperationStore.insert(operations))
        }
        if !plan.resolvedLetters.isEmpty {
            requests.append(
                DeadLetterStore.resolve(
                    plan.resolvedLetters, worker: configuration.worker, actor: configuration.actor))
            expect(plan.resolvedLetters.count)
        }
        if !letters.isEmpty {
            requests.append(
                DeadLetterStore.park(
                    letters, after: parking?.tries ?? [], worker: configuration.worker, actor: configuration.actor))
        }
        let holds = plan.balances.holdChanges(books)
        let newHolds = holds.filter { $0.before == nil }
        let changedHolds = holds.filter { $0.before != nil }
        if !newHolds.isEmpty { requests.append(HoldStore.insert(newHolds)) }
        if !changedHolds.isEmpty {
            requests.append(HoldStore.update(changedHolds))
            expect(changedHolds.count)
        }
        let toOpen = changedSlots.lazy.map { books.memory[balance: plan.balances.slots[$0].place] }
            .filter { !$0.balance.isStored }
            .map { (key: $0.key, lowest: $0.balance.lowest) }
        if !toOpen.isEmpty { requests.append(BalanceStore.open(Array(toOpen))) }
        applyRequest = changedSlots.isEmpty ? nil : requests.count
        if !changedSlots.isEmpty {
            requests.append(BalanceStore.apply(changedSlots.map { plan.balances.change(of: $0, books) }))
            expect(changedSlots.count)
        }
        isEmpty = requests.count == 1 && plan.judgedMarkets.isEmpty
        absenceRequest = plan.unknownAccounts.isEmpty || isEmpty ? nil : requests.count
        if absenceRequest != nil { requests.append(AccountStore.find(plan.unknownAccounts)) }
        marketsAbsenceRequest = plan.unknownMarkets.isEmpty ? nil : requests.count
        if marketsAbsenceRequest != nil { requests.append(CatalogStore.find(plan.unknownMarkets)) }
        let accounts = books.accountPlaces { $0 != nil }.compactMap { books.memory[account: $0] }
        planned.accounts = Set(accounts.lazy.filter { $0.status != .active }.map(\.number))
        planned.markets = plan.haltedMarkets
        markets = plan.judgedMarkets.union(plan.haltedMarkets)
        obstaclesRequest = accounts.isEmpty && markets.isEmpty || isEmpty ? nil : requests.count
        if obstaclesRequest != nil {
            requests.append(
                ObstacleStore.find(
                    among: accounts.map(\.number),
                    markets: markets.subtracting(books.catalog.numbersOfMarketsWithLettersWithoutRow)))
        }
        self.requests = requests
        self.expectedRows = expectedRows
    }

    /// The number of the batch.
    ///
    /// - Parameter answers: those to BEGIN and then to `requests`.
    func number(from answers: [Rows]) -> BatchNumber { BatchStore.decodeNumber(answers[1]) }

    /// The balances after the write, in the order of the changed slots, or nil when something was not as planned and
    /// all must be undone.
    ///
    /// - Parameter answers: those to BEGIN and then to `requests`.
    func balances(from answers: [Rows]) -> [Balance]? {
        for (request, count) in expectedRows where answers[request + 1].affected != count { return nil }
        if let absenceRequest, answers[absenceRequest + 1].count > 0 { return nil }
        guard !hasOutdatedMarkets(answers), obstacles(from: answers) == planned else { return nil }
        guard let applyRequest else { return [] }
        var balances = Array(repeating: Balance(), count: changedSlots.count)
        for (place, balance) in BalanceStore.decode(answers[applyRequest + 1]) { balances[place] = balance }
        return balances
    }

    /// Takes over the balances after the write.
    func remember(_ balances: [Balance], in memory: inout AccountMemory) {
        for (slot, balance) in zip(changedSlots, balances) {
            memory.update(balance, at: plan.balances.slots[slot].place)
        }
    }

    /// What operators had put in the batch's way at the end of the write.
    ///
    /// - Parameter answers: those to BEGIN and then to `requests`.
    func obstacles(from answers: [Rows]) -> Obstacles {
        guard let obstaclesRequest else { return planned }
        var found = ObstacleStore.decode(answers[obstaclesRequest + 1])
        found.markets.formIntersection(markets)
        return found
    }

    /// Whether a market was added, was halted, went on, or got a letter that an operator has decided, since the catalog
    /// was read.
    func hasOutdatedMarkets(_ answers: [Rows]) -> Bool {
        if let marketsAbsenceRequest, answers[marketsAbsenceRequest + 1].count > 0 { return true }
        let found = obstacles(from: answers)
        return found.markets != planned.markets || !found.marketsWithLetters.isEmpty
    }

    /// The ledger's rows: each entry's version and balance follow from what the update returned and what came after
    /// the entry in the batch. Returns nil when a balance had more than 38 digits in between, which a plan on the
    /// balances as they are would have seen.
    func entries(_ balances: [Balance], _ books: Books) -> [LedgerEntry]? {
        // Where each slot begins: what came out, without what the batch did to it.
        var before = ContiguousArray(repeating: Balance(), count: plan.balances.slots.count)
        for (slot, after) in zip(changedSlots, balances) {
            let sums = plan.balances.slots[slot].sums
            guard let available = try? after.available.subtracting(sums.available),
                let frozen = try? after.frozen.subtracting(sums.frozen)
            else { return nil }
            before[slot] = Balance(available: available, frozen: frozen, version: after.version - sums.entryCount)
        }
        var entries: [LedgerEntry] = []
        entries.reserveCapacity(plan.balances.entries.count)
        for entry in plan.balances.entries {
            guard
                let available = try? before[entry.slot].available.adding(entry.availableSum),
                let frozen = try? before[entry.slot].frozen.adding(entry.frozenSum)
            else { return nil }
            entries.append(
                LedgerEntry(
                    key: books.memory[balance: plan.balances.slots[entry.slot].place].key,
                    version: before[entry.slot].version + entry.ordinal, kind: entry.kind, market: entry.market,
                    cause: entry.cause, availableDelta: entry.availableDelta, frozenDelta: entry.frozenDelta,
                    availableAfter: available, frozenAfter: frozen))
        }
        return entries
    }
}
