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

    func readAnew(_ batch: [SettlementItem]) throws(DatabaseError) {
        books.placeBalances(batch)
        try read(
            lettersWithoutRow(of: batch) + accounts(books.accountPlaces()) + holds(of: batch)
                + balances(books.balancePlaces()) + claims(of: batch))
        books.placeBalances(batch)
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
    func lettersWithoutRow(of batch: [SettlementItem]) -> [Look] {
        books.lettersWithoutRow.removeAll(keepingCapacity: true)
        guard !books.catalog.marketsWithLettersWithoutRow.isEmpty, !books.ignoresClaims else { return [] }
        let trades = batch.compactMap(\.trade).filter { books.catalog.marketsWithLettersWithoutRow.contains($0.market) }
        guard !trades.isEmpty else { return [] }
        return [
            Look(request: DeadLetterStore.withoutRow(trades.map(\.contentBytes))) { [self] rows in
                for found in DeadLetterStore.decodeWithoutRow(rows) {
                    books.lettersWithoutRow[trades[found.place]] = found.letter
                }
            }
        ]
    }

    /// What is read is fresh for the plan that is being made.
    func accounts(_ wanted: Set<AccountMemory.Place>) -> [Look] {
        guard !wanted.isEmpty else { return [] }
        let places = Dictionary(wanted.map { (books.memory.accounts[Int($0)].id, $0) }) { first, _ in first }
        return [
            Look(request: AccountStore.find(Array(places.keys))) { [self] rows in
                for place in wanted { books.memory.set(account: nil, at: place) }
                for account in AccountStore.decode(rows) {
                    if let place = places[account.id] { books.memory.set(account: account, at: place) }
                }
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
        var orders: Set<OrderKey> = []
        for item in batch { item.addOrders(to: &orders) }
        guard !orders.isEmpty else { return [] }
        return [
            Look(request: HoldStore.read(orders)) { [self] rows in
                books.holds.removeAll(keepingCapacity: true)
                for (key, hold) in HoldStore.decode(rows) { books.holds[key] = hold }
            }
        ]
    }

    func balances(_ wanted: Set<AccountMemory.Place>) -> [Look] {
        guard !wanted.isEmpty else { return [] }
        let places = wanted.sorted()
        return [
            Look(request: BalanceStore.read(places.map { books.memory[balance: $0].key })) { [self] rows in
                for place in places { books.memory.set(balance: nil, at: place) }
                for (index, balance) in BalanceStore.decode(rows) {
                    books.memory.set(balance: balance, at: places[index])
                }
            }
        ]
    }

    /// The account of a deposit is opened before the batch is planned; empty, it changes nothing.
    func openAccounts(of batch: [SettlementItem]) throws(DatabaseError) {
        var wanted: Set<Identifier> = []
        for index in batch.indices where books.memory[account: books.places[index].first] == nil {
            guard let deposit = batch[index].operation, deposit.kind == .deposit, deposit.amount.isPositive,
                let asset = books.catalog.assets[deposit.asset], deposit.amount.amount(decimals: asset.decimals) != nil
            else { continue }
            wanted.insert(deposit.account)
        }
        guard !wanted.isEmpty else { return }
        try connection.query(AccountStore.open(wanted))
    }
}
