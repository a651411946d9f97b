import Repository
import TradeModel

/// The rows that a plan comes to, and the statements that write them in the one order of tables that all writers keep:
/// trades, operations, dead letters, holds, balances, entries.
struct BatchWrite {
    let requests: [Request]
    let letters: [NewLetter]
    let settledCount: Int
    private let plan: SettlementPlan
    /// How many rows a statement must write; its place is that in `requests`.
    private let expectedRows: [(request: Int, count: Int)]
    private let applyRequest: Int?
    private let absenceRequest: Int?

    var isEmpty: Bool { requests.isEmpty }

    init(
        _ batch: [SettlementItem], _ plan: SettlementPlan, _ books: Books, number: BatchNumber, parking: Parking?,
        configuration: WalletConfiguration, changes: [BalanceChange]
    ) {
        self.plan = plan
        let sorted = SortedItems(batch, plan.outcomes, books, parking, configuration)
        letters = sorted.letters
        settledCount = sorted.settled.count + sorted.finished.filter { $0.status == .settled }.count

        var requests: [Request] = []
        var expectedRows: [(request: Int, count: Int)] = []
        func expect(_ count: Int) { expectedRows.append((requests.count - 1, count)) }
        let delay = configuration.limits.deferralMilliseconds

        if !sorted.settled.isEmpty { requests.append(TradeStore.insertSettled(sorted.settled, batch: number)) }
        if !sorted.failed.isEmpty { requests.append(TradeStore.insertFailed(sorted.failed, batch: number)) }
        if !sorted.waiting.isEmpty {
            requests.append(TradeStore.insertWaiting(sorted.waiting, delayMilliseconds: delay))
        }
        if !sorted.finished.isEmpty {
            requests.append(TradeStore.finishWaiting(sorted.finished, batch: number))
            expect(sorted.finished.count)
        }
        if !sorted.putBack.isEmpty {
            requests.append(TradeStore.putBack(sorted.putBack, delayMilliseconds: delay))
        }
        if !plan.operations.isEmpty {
            let operations = plan.operations.sorted { $0.operation.key < $1.operation.key }
            requests.append(OperationStore.insert(operations, batch: number))
        }
        if !letters.isEmpty {
            requests.append(DeadLetterStore.park(letters, batch: number, actor: configuration.actor))
        }
        let holds = plan.holdChanges(books)
        let newHolds = holds.filter { $0.before == nil }
        let changedHolds = holds.filter { $0.before != nil }
        if !newHolds.isEmpty { requests.append(HoldStore.insert(newHolds)) }
        if !changedHolds.isEmpty {
            requests.append(HoldStore.update(changedHolds))
            expect(changedHolds.count)
        }
        let toOpen = plan.balancesToOpen
        if !toOpen.isEmpty { requests.append(BalanceStore.open(toOpen)) }
        applyRequest = changes.isEmpty ? nil : requests.count
        if !changes.isEmpty {
            requests.append(BalanceStore.apply(changes))
            expect(changes.count)
        }
        absenceRequest = plan.unknownAccounts.isEmpty || requests.isEmpty ? nil : requests.count
        if absenceRequest != nil { requests.append(AccountStore.find(plan.unknownAccounts)) }
        self.requests = requests
        self.expectedRows = expectedRows
    }

    /// The balances after the write, or nil when something was not as planned and all must be undone.
    ///
    /// - Parameter answers: those to BEGIN and then to `requests`.
    func balances(from answers: [Rows], expected changes: [BalanceChange]) -> [BalanceKey: Balance]? {
        for (request, count) in expectedRows where answers[request + 1].affected != count { return nil }
        if let absenceRequest, answers[absenceRequest + 1].count > 0 { return nil }
        guard let applyRequest else { return [:] }
        var balances: [BalanceKey: Balance] = [:]
        balances.reserveCapacity(changes.count)
        for (key, balance) in BalanceStore.decode(answers[applyRequest + 1]) { balances[key] = balance }
        return balances
    }

    /// The ledger's rows: each entry's version and balance follow from what the update returned and what came after
    /// the entry in the batch.
    func entries(_ balances: [BalanceKey: Balance]) -> [LedgerEntry] {
        let after = plan.slots.map { balances[$0.key] }
        return plan.entries.map { entry in
            let slot = plan.slots[entry.slot]
            guard let last = after[entry.slot],
                let available = Amount(
                    units: last.available.units - slot.availableSum.units + entry.availableSum.units),
                let frozen = Amount(units: last.frozen.units - slot.frozenSum.units + entry.frozenSum.units)
            else { preconditionFailure("every entry's balance was written, and stayed within bounds") }
            return LedgerEntry(
                key: slot.key, version: last.version - slot.entryCount + entry.ordinal, kind: entry.kind,
                market: entry.market, cause: entry.cause, availableDelta: entry.availableDelta,
                frozenDelta: entry.frozenDelta, availableAfter: available, frozenAfter: frozen)
        }
    }
}

/// A batch's items by what is to be written of them, each list in the order of its keys.
private struct SortedItems {
    var settled: [Trade] = []
    var failed: [(trade: Trade, attempts: Int)] = []
    var waiting: [Trade] = []
    var finished: [(key: TradeKey, status: TradeStatus, attempts: Int)] = []
    var putBack: [TradeKey] = []
    var letters: [NewLetter] = []

    init(
        _ batch: [SettlementItem], _ outcomes: [Outcome], _ books: Books, _ parking: Parking?,
        _ configuration: WalletConfiguration
    ) {
        settled.reserveCapacity(batch.count)
        let attempts = parking?.attempts ?? 1
        var contents: Set<[UInt8]> = []
        for (item, outcome) in zip(batch, outcomes) {
            // Decided in an earlier transaction, or without a trace.
            if outcome == .duplicate || books.isDecided(item) { continue }
            var isStored = false
            switch (item.subject, item.origin, outcome) {
            case (.operation, _, _):
                continue
            case (.trade(let trade), .message, .settled):
                settled.append(trade)
            case (.trade(let trade), .message, .deferred):
                waiting.append(trade)
            case (.trade(let trade), .pending, .settled):
                finished.append((trade.key, .settled, attempts))
            case (.trade(let trade), .pending, .deferred):
                putBack.append(trade.key)
            case (.trade(let trade), .message, .rejected(let rejection)):
                isStored =
                    rejection.failureClass.claimsTradeID && books.catalog.markets[trade.market] != nil
                    && parking?.isStored != false
                if isStored { failed.append((trade, attempts)) }
            case (_, .pending, _):
                isStored = true
                if let key = item.tradeKey { finished.append((key, .failed, attempts)) }
            case (.refused, .message, _):
                break
            case (_, _, .duplicate):
                continue
            }
            guard case .rejected(let rejection) = outcome else { continue }
            let letter = item.letter(
                rejection, sqlState: parking?.sqlState, attempts: attempts, isStored: isStored, configuration)
            if contents.insert(letter.content).inserted { letters.append(letter) }
        }
        settled.sort { $0.key < $1.key }
        failed.sort { $0.trade.key < $1.trade.key }
        waiting.sort { $0.key < $1.key }
        finished.sort { $0.key < $1.key }
        putBack.sort()
    }
}

extension Books {
    /// Whether the answer to an earlier attempt was lost after all had been written.
    fileprivate func isDecided(_ item: SettlementItem) -> Bool {
        guard let lostBatch else { return false }
        if let key = item.trade?.key { return trades[key]?.batch == lostBatch }
        return false
    }
}

extension FailureClass {
    /// Whether a message that is rejected so takes its id in `trades`, as FAILED.
    var claimsTradeID: Bool {
        switch self {
        case .unknownAccount, .insufficientFunds, .queueFull, .retriesExhausted: true
        case .invalid, .unknownMarket, .conflict, .undecodable: false
        }
    }
}

extension SettlementItem {
    /// The key of a trade, readable or not.
    fileprivate var tradeKey: TradeKey? {
        switch subject {
        case .trade(let trade): return trade.key
        case .operation: return nil
        case .refused(let refused):
            guard let market = refused.market.flatMap({ MarketSymbol($0) }),
                let id = refused.tradeID.flatMap(Identifier.init)
            else { return nil }
            return TradeKey(market: market, id: id)
        }
    }

    fileprivate func letter(
        _ rejection: Rejection, sqlState: String?, attempts: Int, isStored: Bool, _ configuration: WalletConfiguration
    ) -> NewLetter {
        let source = if case .message(let name) = origin { name } else { "trades" }
        switch subject {
        case .trade(let trade):
            return NewLetter(
                content: trade.contentBytes, rejection: rejection, sqlState: sqlState, attempts: attempts,
                isStored: isStored, market: trade.market.text, tradeID: trade.id.text, buyer: trade.buyer.text,
                seller: trade.seller.text, stream: trade.stream?.text, sequence: trade.sequence, source: source,
                payload: payload.isEmpty ? configuration.render(trade) : payload)
        case .refused(let refused):
            let name = [refused.market, refused.tradeID].map { $0 ?? "" }.joined(separator: "\u{1f}")
            return NewLetter(
                content: payload.isEmpty ? Array("unreadable\u{1f}\(name)".utf8) : payload, rejection: rejection,
                sqlState: sqlState, attempts: attempts, isStored: isStored, market: refused.market,
                tradeID: refused.tradeID, source: source, payload: payload)
        case .operation:
            preconditionFailure("operations are refused to whoever asked, not parked")
        }
    }
}
