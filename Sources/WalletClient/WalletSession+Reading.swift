import Repository
import TradeModel

/// What a session asks the database, and what the answers are taken for.
extension WalletSession {
    /// One question, and what its answer is taken for.
    struct Look {
        let request: Request
        let take: (Rows) -> Void
    }

    /// Asks all at once; the database answers in the order given, each from what is committed by then.
    func read(_ looks: [Look]) throws(DatabaseError) {
        guard !looks.isEmpty else { return }
        for (look, rows) in zip(looks, try connection.pipeline(looks.map(\.request))) { look.take(rows) }
    }

    func readAnew(_ plan: SettlementPlan, _ batch: [SettlementItem]) throws(DatabaseError) {
        let keys = Set(plan.balances.slots.map(\.key)).union(balanceKeys(of: batch))
        try read(
            claims(of: batch) + oldLetters(of: batch) + accounts(batch.flatMap(\.accounts)) + holds(of: batch)
                + balances(keys))
    }

    func readCatalog(for batch: [SettlementItem]) throws(DatabaseError) {
        if namesUnknownAssetOrMarket(batch) { books.catalog = try CatalogStore.readToSettle(connection) }
    }

    func claims(of batch: [SettlementItem]) -> [Look] {
        books.trades.removeAll(keepingCapacity: true)
        books.claimsAreKnown = true
        guard !books.ignoresClaims else { return [] }
        let operations = batch.compactMap(\.operation?.key)
        guard !operations.isEmpty else { return trades(batch.compactMap(\.tradeKey)) }
        return trades(batch.compactMap(\.tradeKey)) + [
            Look(request: OperationStore.read(operations)) { [self] rows in
                for found in OperationStore.decode(rows) { books.operations[found.key] = found }
            }
        ]
    }

    func trades(_ keys: [TradeKey]) -> [Look] {
        guard !keys.isEmpty else { return [] }
        return [
            Look(request: TradeStore.read(keys)) { [self] rows in
                for found in TradeStore.decode(rows) { books.trades[found.key] = found }
            }
        ]
    }

    /// Asked only in markets that have such letters.
    func oldLetters(of batch: [SettlementItem]) -> [Look] {
        books.oldLetters.removeAll(keepingCapacity: true)
        guard !books.catalog.marketsWithOldLetters.isEmpty, !books.ignoresClaims else { return [] }
        let trades = batch.compactMap(\.trade).filter { books.catalog.marketsWithOldLetters.contains($0.market) }
        guard !trades.isEmpty else { return [] }
        return [
            Look(request: DeadLetterStore.withoutRow(trades.map(\.contentBytes))) { [self] rows in
                for found in DeadLetterStore.decodeWithoutRow(rows) {
                    books.oldLetters[trades[found.place]] = found.letter
                }
            }
        ]
    }

    func accounts(_ ids: some Collection<Identifier>) -> [Look] {
        guard !ids.isEmpty else { return [] }
        let wanted = Set(ids)
        return [
            Look(request: AccountStore.find(wanted)) { [self] rows in
                for id in wanted { books.accounts[id] = nil }
                for account in AccountStore.decode(rows) { books.accounts[account.id] = account }
            }
        ]
    }

    func oldestWaiting(of accounts: Set<Identifier>, outside batch: [SettlementItem]) -> [Look] {
        guard !accounts.isEmpty else { return [] }
        return [
            Look(request: TradeStore.oldestWaiting(of: accounts, except: batch.compactMap(\.receivedSequence))) {
                [self] rows in
                books.oldestWaiting.merge(TradeStore.decodeOldestWaiting(rows)) { _, new in new }
            }
        ]
    }

    func holds(of batch: [SettlementItem]) -> [Look] {
        let orders = Set(batch.flatMap(\.orders))
        guard !orders.isEmpty else { return [] }
        return [
            Look(request: HoldStore.read(orders)) { [self] rows in
                books.holds.removeAll(keepingCapacity: true)
                for (key, hold) in HoldStore.decode(rows) { books.holds[key] = hold }
            }
        ]
    }

    func balances(_ keys: some Collection<BalanceKey>) -> [Look] {
        guard !keys.isEmpty else { return [] }
        return [
            Look(request: BalanceStore.read(keys)) { [self] rows in
                // That there is none is worth remembering too: the house has no balance where no fee was ever paid.
                for key in keys { books.balances[key] = books.noBalance(key) }
                for (key, balance) in BalanceStore.decode(rows) { books.balances[key] = balance }
            }
        ]
    }

    /// The account of a deposit is opened before the batch is planned; empty, it changes nothing.
    func openAccounts(of batch: [SettlementItem]) throws(DatabaseError) {
        let wanted = Set(
            batch.compactMap(\.operation)
                .filter { deposit in
                    deposit.kind == .deposit && books.accounts[deposit.account] == nil && deposit.amount.isPositive
                        && books.catalog.assets[deposit.asset].map {
                            deposit.amount.amount(decimals: $0.decimals) != nil
                        } == true
                }
                .map(\.account))
        guard !wanted.isEmpty else { return }
        _ = try connection.pipeline([AccountStore.open(wanted)])
    }

    func balanceKeys(of batch: [SettlementItem]) -> Set<BalanceKey> {
        var keys: Set<BalanceKey> = []
        for item in batch {
            switch item.subject {
            case .trade(let trade):
                guard let market = books.catalog.markets[trade.market], let buyer = books.accounts[trade.buyer],
                    let seller = books.accounts[trade.seller]
                else { continue }
                for asset in [market.base.number, market.quote.number] {
                    for account in [buyer.number, seller.number, books.house] {
                        keys.insert(BalanceKey(account: account, asset: asset))
                    }
                }
            case .operation(let operation):
                guard let asset = books.catalog.assets[operation.asset],
                    let account = books.accounts[operation.account]
                else { continue }
                keys.insert(BalanceKey(account: account.number, asset: asset.number))
                keys.insert(BalanceKey(account: books.world, asset: asset.number))
            case .refused: continue
            }
        }
        return keys
    }

    private func namesUnknownAssetOrMarket(_ batch: [SettlementItem]) -> Bool {
        batch.contains { item in
            switch item.subject {
            case .trade(let trade): books.catalog.markets[trade.market] == nil
            case .operation(let operation): books.catalog.assets[operation.asset] == nil
            case .refused: false
            }
        }
    }
}
