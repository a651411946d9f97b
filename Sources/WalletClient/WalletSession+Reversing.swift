import Repository
import TradeModel

extension WalletSession {
    /// What is remembered of the balances is outdated afterwards, which does no harm: the conditions of a write find
    /// out.
    func reverse(
        _ terms: ReversalTerms, actor: String, reason: String, resolving lostBatch: BatchNumber?
    ) throws(WalletError) -> ReversalOutcome {
        do {
            // The trade first, balances after, as in every batch; whoever reverses it at the same time is waited for.
            let begun = try connection.pipeline([
                Request(.begin), BatchStore.enter([MarketNumber](), after: -1),
                ReversalStore.claim(terms.trade, actor: actor, reason: reason),
            ])
            guard begun[2].affected == 1 else {
                connection.rollBack()
                return try earlierReversal(of: terms.trade, lostBatch)
            }
            let balances = try moveBack(terms)
            // Asked when the balances are changed: whoever closes an account has waited for that, or is seen here.
            let accounts = AccountStore.decode(try connection.query(AccountStore.find(terms.customers)))
            let closed = accounts.filter { $0.status == .closed }.map(\.id)
            guard closed.isEmpty else {
                connection.rollBack()
                return .closed(closed.sorted())
            }
            guard balances.count == terms.legs.count else {
                let shortfalls = try terms.shortfalls(on: balancesNotIn(balances, terms))
                connection.rollBack()
                // It has come meanwhile.
                guard !shortfalls.isEmpty else { throw WalletError.overtaken }
                return .lacksMoney(shortfalls)
            }
            return try commit(terms, BatchStore.decodeNumber(begun[1]), balances, actor: actor, reason: reason)
        } catch {
            throw undone(error)
        }
    }

    private func earlierReversal(of key: TradeKey, _ lostBatch: BatchNumber?) throws -> ReversalOutcome {
        let found = try connection.query(ReversalStore.find(key))
        guard let earlier = ReversalStore.decode(found, of: key) else {
            throw WalletError.reject(DatabaseFault(message: "trade \(key) is not settled any more"))
        }
        return earlier.batch == lostBatch ? .reversed(earlier) : .wasReversed(earlier)
    }

    /// Changes the balances, as far as each has what it is to give, and returns them by their places among the legs.
    private func moveBack(_ terms: ReversalTerms) throws -> [Int: Balance] {
        guard !terms.legs.isEmpty else { return [:] }
        let changes = terms.legs.map { leg in
            BalanceChange(
                key: leg.key, availableDelta: leg.amount, frozenDelta: .zero, entryCount: 1,
                availableLowest: min(leg.amount, .zero), frozenLowest: .zero, ceiling: nil, line: nil)
        }
        let changed = BalanceStore.decode(try connection.query(BalanceStore.apply(changes)))
        return Dictionary(uniqueKeysWithValues: changed.map { ($0.place, $0.balance) })
    }

    /// The balances that were left as they are.
    private func balancesNotIn(_ changed: [Int: Balance], _ terms: ReversalTerms) throws -> [Int: Balance] {
        let places = terms.legs.indices.filter { changed[$0] == nil }
        let rows = try connection.query(BalanceStore.read(places.map { terms.legs[$0].key }))
        return Dictionary(uniqueKeysWithValues: BalanceStore.decode(rows).map { (places[$0.place], $0.balance) })
    }

    private func commit(
        _ terms: ReversalTerms, _ number: BatchNumber, _ balances: [Int: Balance], actor: String, reason: String
    ) throws -> ReversalOutcome {
        let entries = terms.legs.enumerated().map { place, leg in
            let balance = balances[place]!
            return LedgerEntry(
                key: leg.key, version: balance.version, kind: .reversal, market: terms.market, cause: terms.trade.id,
                availableDelta: leg.amount, frozenDelta: .zero, availableAfter: balance.available,
                frozenAfter: balance.frozen)
        }
        do {
            let answers = try connection.pipeline([
                OperatorActionStore.record(
                    OperatorAction(
                        .reverse, .trade(terms.trade), actor: actor, reason: reason,
                        detail: [(name: "batch", value: "\(number)")])),
                BatchStore.insert(number, worker: nil, trades: 0, operations: 0, rejected: 0, entries: entries),
                ReversalStore.find(terms.trade), Request(.commit),
            ])
            guard answers[3].command == "COMMIT", let done = ReversalStore.decode(answers[2], of: terms.trade) else {
                throw WalletError.retry(DatabaseFault(message: "the transaction was rolled back"))
            }
            return .reversed(done)
        } catch let error as DatabaseError where error.isConnectionLoss || !connection.isInTransaction {
            throw WalletError.findOut(number, DatabaseFault(error))
        }
    }
}
