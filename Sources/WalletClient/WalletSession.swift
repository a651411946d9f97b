import Repository
import ServiceKit
import TradeModel

/// One connection that settles. Synchronous from end to end: between the beginning and the
/// commit of a transaction nobody else gets in.
final class WalletSession {
    let connection: PostgresConnection
    private let configuration: WalletConfiguration
    var books: Books
    private var recent: RecentTrades
    /// Set when an id was found taken that nothing had warned of: a replay, perhaps. Then it pays to look first.
    private var looksFirst = false
    /// The last batch that this connection has committed, whose range of the ledger is there; -1 before the first.
    private var newestBatch: BatchNumber = -1

    /// Rows are locked in the order of their keys. Only a nested loop over sorted input keeps that order.
    static let settings = """
        set enable_hashjoin = off; set enable_mergejoin = off; set enable_bitmapscan = off;
        set enable_seqscan = off; set plan_cache_mode = force_generic_plan;
        """

    init(_ configuration: WalletConfiguration, _ cache: AccountCache) throws(DatabaseError) {
        self.configuration = configuration
        connection = try PostgresConnection(
            configuration.connectionString, limits: configuration.limits, applicationName: "settle wallet")
        try connection.script(Self.settings)
        let own = try AccountStore.openStripe(Self.leaseStripe(connection), on: connection)
        books = Books(house: own.house, world: own.world, cache: cache)
        recent = RecentTrades(countMax: configuration.limits.recentTradesMax)
        books.catalog = try CatalogStore.readToSettle(connection)
    }

    /// House and world are several rows each, so that connections do not wait for each other there. With more
    /// connections than stripes, some share.
    private static func leaseStripe(_ connection: PostgresConnection) throws(DatabaseError) -> Int {
        let stripeCount = 64
        for stripe in 0..<stripeCount where try connection.query(AccountStore.leaseStripe(stripe)).bool(0, 0) {
            return stripe
        }
        return Int.random(in: 0..<stripeCount)
    }

    func interrupter() -> StatementInterrupter { connection.interrupter() }

    func probe() throws(DatabaseError) {
        try connection.script("select 1")
    }

    func balances(of account: Identifier) throws(DatabaseError) -> [AccountBalance]? {
        let answers = try connection.pipeline([
            AccountStore.find([account]), BalanceStore.ofAccount(account, kind: .customer),
        ])
        return answers[0].count == 0 ? nil : BalanceStore.decodeOfAccount(answers[1])
    }

    // MARK: Settling

    func settle(
        _ batch: [SettlementItem], resolving lostBatch: BatchNumber?, in turn: Turn = Turn(), parking: Parking? = nil
    ) throws(WalletError) -> [Outcome] {
        books.storesOnly = configuration.storeOnly.hasFired
        do {
            let looksAtClaims = lostBatch != nil || looksFirst || parking != nil
            // Balances are conditions of the write, whatever was read of them. What else the batch before may change is
            // not, and is read after it.
            if looksAtClaims || batch.contains(where: \.hasOrders) { try turn.blockUntilPredecessor(.committed) }
            try prepare(batch, lostBatch: lostBatch, looksAtClaims: looksAtClaims)
            for _ in 0..<configuration.limits.replanRoundsMax {
                let plan = try planOnFreshGrounds(batch, parking, turn)
                if let outcomes = try write(plan, batch, parking, turn) {
                    turn.reach(.committed)
                    remember(batch, outcomes)
                    return outcomes
                }
            }
        } catch {
            throw undone(error)
        }
        throw .overtaken
    }

    /// Undoes what was begun, and says what that failure of it means.
    func undone(_ error: any Error) -> WalletError {
        connection.rollBack()
        return Self.meaning(of: error)
    }

    private static func meaning(of error: any Error) -> WalletError {
        switch error {
        case let error as WalletError: error
        case let error as DatabaseError: WalletError(error)
        default: preconditionFailure("only the database fails here: \(error)")
        }
    }

    /// Says what would become of a batch now, and writes nothing.
    func preview(_ batch: [SettlementItem], lookingAtClaims: Bool) throws(WalletError) -> [Outcome] {
        books.ignoresClaims = !lookingAtClaims
        defer { books.ignoresClaims = false }
        do {
            // As if the queue went on, and without old letters, which may be what is asked about.
            books.catalog = try CatalogStore.read(connection)
            defer { books.catalog = Catalog() }
            books.place(batch)
            try readWhatIsMissing(for: batch, lostBatch: nil, looksAtClaims: true)
            var opened: [Identifier: AccountMemory.Place] = [:]
            for (item, places) in zip(batch, books.places) {
                guard let operation = item.operation, operation.kind == .deposit,
                    books.memory[account: places.first] == nil
                else { continue }
                opened[operation.account] = places.first
            }
            for (number, account) in opened.enumerated() {
                // The account that the deposit would open; no real one has such a number.
                books.memory.set(
                    account: Account(number: -1 - AccountNumber(number), id: account.key), at: account.value)
            }
            books.placeBalances(batch)
            return try planOnFreshGrounds(batch, nil, Turn()).outcomes
        } catch {
            throw Self.meaning(of: error)
        }
    }

    private func prepare(_ batch: [SettlementItem], lostBatch: BatchNumber?, looksAtClaims: Bool) throws {
        try place(batch)
        try openAccounts(of: batch)
        try readWhatIsMissing(for: batch, lostBatch: lostBatch, looksAtClaims: looksAtClaims)
    }

    /// Finds what the batch touches among what is remembered.
    private func place(_ batch: [SettlementItem]) throws {
        books.place(batch)
        guard books.namesUnknown(batch) else { return }
        books.catalog = try CatalogStore.readToSettle(connection)
        books.place(batch)
    }

    /// Reads what the batch needs and is not known yet.
    private func readWhatIsMissing(
        for batch: [SettlementItem], lostBatch: BatchNumber?, looksAtClaims: Bool
    ) throws {
        books.claimsAreKnown = false
        books.trades.removeAll(keepingCapacity: true)
        books.operations.removeAll(keepingCapacity: true)
        books.holds.removeAll(keepingCapacity: true)
        books.lostBatch = lostBatch

        var trades: [Look] = []
        if looksAtClaims {
            trades = claims(of: batch)
        } else {
            let seen = batch.indices.filter { recent.mayContain(books.places[$0].tradeHash) }
            trades = self.trades(seen.compactMap { batch[$0].trade?.key })
        }
        let unknownAccounts = books.accountPlaces { $0 == nil }
        // Claims last: what somebody is just carrying out has not claimed yet, or holds nothing any more.
        try read(lettersWithoutRow(of: batch) + accounts(unknownAccounts) + holds(of: batch) + trades)
        books.placeBalances(batch)
        try read(balances(books.balancePlaces { !$0.isKnown }))
    }

    /// Plans until nothing is rejected for a reason that was only remembered.
    private func planOnFreshGrounds(
        _ batch: [SettlementItem], _ parking: Parking?, _ turn: Turn
    ) throws -> SettlementPlan {
        books.memory.beginReading()
        books.oldestWaiting.removeAll(keepingCapacity: true)
        while true {
            let plan = SettlementPlan(batch, on: books, parking: parking?.rejection)
            let isFresh = plan.isOnFreshGrounds
            if isFresh, books.claimsAreKnown || !plan.hasRejections { return plan }
            try turn.blockUntilPredecessor(.committed)
            if isFresh {
                // What is rejected may have been carried out long ago, and lack the money just for that.
                try read(claims(of: batch))
                continue
            }
            // Older trades first, balances after: whatever has stopped waiting by then shows in the balances. Holds
            // then: money that goes into one meanwhile is counted twice, which the write's conditions find out. Claims
            // last: whoever took the money away has claimed before.
            let waiting = oldestWaiting(of: plan.shortOfFunds, outside: batch)
            try read(
                accounts(plan.staleAccounts) + waiting + balances(plan.balances.stale) + holds(of: batch)
                    + claims(of: batch))
            books.placeBalances(batch)
        }
    }

    /// Writes the plan in one transaction of two round trips. Returns nil, with nothing written and the books read
    /// anew, when something was not as planned.
    private func write(
        _ plan: SettlementPlan, _ batch: [SettlementItem], _ parking: Parking?, _ turn: Turn
    ) throws -> [Outcome]? {
        let write = BatchWrite(batch, plan, books, after: newestBatch, parking: parking, configuration: configuration)
        guard !write.isEmpty else {
            books.keep()
            try turn.blockUntilPredecessor(.committed)
            return plan.outcomes
        }
        try turn.blockUntilPredecessor(.written)
        do {
            let answers = try connection.pipeline([Request(.begin)] + write.requests)
            guard let balances = write.balances(from: answers), let entries = write.entries(balances, books) else {
                connection.rollBack()
                try turn.blockUntilPredecessor(.committed)
                if write.hasOutdatedMarkets(answers) {
                    books.catalog = try CatalogStore.readToSettle(connection)
                    books.place(batch)
                }
                try readAnew(batch)
                return nil
            }
            write.remember(balances, in: &books.memory)
            // Before the batch that follows is let in: it plans on what this one changed.
            books.keep()
            turn.reach(.written)
            try turn.blockUntilPredecessor(.committed)
            try commit(write, plan, entries, write.number(from: answers))
            return plan.outcomes
        } catch let error as DatabaseError where error.sqlState == DatabaseError.uniqueViolation {
            connection.rollBack()
            looksFirst = true
            try turn.blockUntilPredecessor(.committed)
            try readAnew(batch)
            return nil
        }
    }

    private func commit(
        _ write: BatchWrite, _ plan: SettlementPlan, _ entries: [LedgerEntry], _ number: BatchNumber
    ) throws {
        let batch = BatchStore.insert(
            number, worker: configuration.worker, trades: write.settledCount, operations: plan.operations.count,
            rejected: write.letters.count, entries: entries)
        do {
            let answers = try connection.pipeline([batch, Request(.commit)])
            guard answers[1].command == "COMMIT" else {
                throw WalletError.retry(DatabaseFault(message: "the transaction was rolled back"))
            }
            newestBatch = number
        } catch let error as DatabaseError where error.isConnectionLoss || !connection.isInTransaction {
            // Either nobody said what became of the commit, or it failed itself, however far it had come.
            throw WalletError.findOut(number, DatabaseFault(error))
        }
    }

    private func remember(_ batch: [SettlementItem], _ outcomes: [Outcome]) {
        var sawDuplicates = false
        for index in batch.indices {
            if outcomes[index] == .duplicate { sawDuplicates = true }
            recent.insert(books.places[index].tradeHash)
        }
        looksFirst = looksFirst && sawDuplicates
    }
}

/// Why items are parked without being tried again.
struct Parking {
    let rejection: Rejection
    /// The tries that failed, for the history of the letter; there may have been none.
    var tries: [FailedAttempt] = []
    /// Whether a trade's id is claimed in `trades`, as is usual.
    var isStored = true

    var attempts: Int { tries.count }
}
