import ServiceKit
import Testing
import TradeModel

@testable import Repository
@testable import WalletClient

/// The plan, batch by batch, against the reference that takes one item at a time.
@Suite struct SettlementPlanOracleTests {
    /// Seeds 0 ..< 2000 in 8 groups, so that they run beside each other.
    @Test(arguments: Scenario.Size.allCases, 0..<8)
    func `a plan decides and books as one item at a time would`(size: Scenario.Size, group: UInt64) {
        var verdicts: [ReferenceBooks.Verdict: Int] = [:]
        for seed in group * 250..<(group + 1) * 250 {
            var run = PlanRun(seed: seed, size: size)
            run.compare()
            for verdict in run.verdicts { verdicts[verdict, default: 0] += 1 }
            if let difference = run.difference {
                Issue.record("seed \(seed), \(size): \(difference)")
                return
            }
        }
        // What never happens is not compared.
        #expect(verdicts[.settled, default: 0] > 50 && verdicts[.rejected(.insufficientFunds), default: 0] > 50)
        #expect(verdicts.count >= 9 && verdicts[.duplicate] != nil, "\(verdicts)")
    }

    @Test(arguments: 0..<4)
    func `the conditions of a write hold for other balances only if all would be decided the same`(group: UInt64) {
        for seed in group * 250..<(group + 1) * 250 {
            var run = PlanRun(seed: seed, size: .tight)
            run.compareConditions()
            if let difference = run.difference {
                Issue.record("seed \(seed): \(difference)")
                return
            }
        }
    }
}

/// One batch, with a history before it.
private struct PlanRun {
    var scenario: Scenario
    var reference: ReferenceBooks
    var batch: [SettlementItem] = []
    var verdicts: [ReferenceBooks.Verdict] = []
    var difference: String?

    init(seed: UInt64, size: Scenario.Size) {
        scenario = Scenario(seed: seed, size: size)
        reference = scenario.emptyBooks()
        let deposits = scenario.startingDeposits()
        reference.openAccounts(of: deposits)
        for item in deposits { _ = reference.decide(item) }
        for _ in 0..<Int.random(in: 0..<12, using: &scenario.random) { _ = reference.decide(scenario.next()) }
        reference.accounts["ice"] = .frozen
        reference.accounts["gone"] = .closed
        // A few rows wait: some are claimed for this batch, in order, others by somebody else.
        var claimed: [SettlementItem] = []
        for _ in 0..<Int.random(in: 0..<4, using: &scenario.random) {
            let trade = scenario.trade()
            let place = reference.accept(trade)
            if Bool.random(using: &scenario.random) {
                claimed.append(SettlementItem(.trade(trade), origin: .pending(receivedSequence: place, attempts: 0)))
            }
        }
        for _ in 0..<Int.random(in: 1..<24, using: &scenario.random) {
            if !claimed.isEmpty, Bool.random(using: &scenario.random) { batch.append(claimed.removeFirst()) }
            batch.append(scenario.next())
        }
        batch += claimed
        reference.openAccounts(of: batch)
        reference.entries = []
    }

    mutating func compare() {
        let books = Books(reference, batch)
        let plan = SettlementPlan(batch, on: books)
        verdicts = batch.map { reference.decide($0) }
        for (place, (outcome, verdict)) in zip(plan.outcomes, verdicts).enumerated()
        where ReferenceBooks.Verdict(outcome) != verdict {
            difference = "item \(place), \(batch[place].subject): \(outcome) instead of \(verdict)"
            return
        }
        let names = Names(books)
        var balances: [BalanceKey: Balance] = [:]
        var written: [Balance] = []
        for change in plan.balances.changes(books) {
            guard let balance = change.applied(to: books.balance(change.key)) else {
                difference = "the conditions of \(change) do not hold"
                return
            }
            balances[change.key] = balance
            written.append(balance)
        }
        guard let entries = entries(of: plan, books, written) else { return }
        for (purse, money) in reference.purses where reference.entries.contains(where: { $0.purse == purse }) {
            let balance = balances[names.key(purse)]
            if balance?.available.units != money.available || balance?.frozen.units != money.frozen
                || balance?.version != money.version
            {
                difference = "\(purse) has \(String(describing: balance)) instead of \(money)"
                return
            }
            let own = reference.entries.filter { $0.purse == purse }
            let written = entries.filter { $0.key == names.key(purse) }
            let same =
                own.count == written.count
                && zip(own, written).allSatisfy { own, written in
                    own.cause == written.cause.text && own.available == written.availableDelta.units
                        && own.frozen == written.frozenDelta.units
                        && own.after.available == written.availableAfter.units
                        && own.after.frozen == written.frozenAfter.units && own.after.version == written.version
                }
            if !same { difference = "entries of \(purse): \(written) instead of \(own)" }
        }
        if entries.count != reference.entries.count { difference = "\(entries.count) entries" }
        compareSums(entries)
        compareHolds(plan, books, names)
    }

    private mutating func entries(of plan: SettlementPlan, _ books: Books, _ written: [Balance]) -> [LedgerEntry]? {
        let write = BatchWrite(
            batch, plan, books, after: -1, parking: nil,
            configuration: WalletConfiguration(connectionString: "", actor: "test") { _ in [] })
        return write.entries(written, books)
    }

    private mutating func compareSums(_ entries: [LedgerEntry]) {
        struct Leg: Hashable { let cause: Identifier, asset: AssetNumber, market: MarketNumber? }
        var sums: [Leg: Int128] = [:]
        for entry in entries {
            sums[Leg(cause: entry.cause, asset: entry.key.asset, market: entry.market), default: 0] &+=
                entry.availableDelta.units &+ entry.frozenDelta.units
        }
        for (leg, sum) in sums where sum != 0 { difference = "\(leg) sums to \(sum)" }
    }

    private mutating func compareHolds(_ plan: SettlementPlan, _ books: Books, _ names: Names) {
        var holds = books.holds
        for change in plan.balances.holdChanges(books) { holds[change.key] = change.after }
        let expected = reference.holds.mapValues { held in
            Hold(
                account: names.key(held.purse).account, asset: names.key(held.purse).asset,
                reserved: Amount(units: held.reserved)!, remaining: Amount(units: held.remaining)!)
        }
        if holds != expected { difference = "holds \(holds) instead of \(expected)" }
    }

    /// Plans on the reference's balances, then asks the conditions and the reference about other ones.
    mutating func compareConditions() {
        let books = Books(reference, batch)
        let plan = SettlementPlan(batch, on: books)
        for _ in 0..<4 {
            var other = reference
            for purse in other.purses.keys where !purse.owner.hasPrefix("\t") {
                let nudge = Int128.random(in: -3...3, using: &scenario.random) * powerOfTen(books.decimals(purse.asset))
                let changed =
                    other.purses[purse]!.available + (Bool.random(using: &scenario.random) ? nudge : nudge.signum())
                other.purses[purse]!.available = max(0, changed)
            }
            let otherBooks = Books(other, batch)
            let holds = plan.balances.changes(books).allSatisfy { $0.applied(to: otherBooks.balance($0.key)) != nil }
            let verdicts = batch.map { other.decide($0).outline }
            let same = plan.outcomes.map { ReferenceBooks.Verdict($0).outline } == verdicts
            // That they fail for no reason costs another plan; that they hold without one would cost money.
            if holds, !same {
                let place = zip(plan.outcomes, verdicts).enumerated().first {
                    ReferenceBooks.Verdict($0.element.0).outline != $0.element.1
                }!
                difference =
                    "item \(place.offset), \(batch[place.offset].subject): conditions hold for "
                    + "\(place.element.0), but it is \(place.element.1)"
                return
            }
        }
    }
}

extension ReferenceBooks.Verdict {
    /// What it does, whatever the reason not to: with several reasons, another one may be found first.
    fileprivate var outline: Self {
        if self == .settled || self == .duplicate { self } else { .rejected(.insufficientFunds) }
    }

    init(_ outcome: Outcome) {
        switch outcome {
        case .settled: self = .settled
        case .duplicate: self = .duplicate
        case .deferred: self = .deferred
        case .rejected(let rejection): self = .rejected(rejection.failureClass)
        }
    }
}

extension BalanceChange {
    /// What the statement `balances_apply` does to one row; nil where it leaves the row alone.
    fileprivate func applied(to balance: Balance?) -> Balance? {
        var balance = balance ?? Balance(lowest: key.account < 0 ? nil : .zero)
        if let lowest = balance.lowest, availableLowest.isNegative,
            balance.available.units + availableLowest.units < lowest.units
        {
            return nil
        }
        if balance.frozen.units + frozenLowest.units < 0 { return nil }
        if let ceiling, balance.available > ceiling { return nil }
        balance.available = Amount(units: balance.available.units + availableDelta.units)!
        balance.frozen = Amount(units: balance.frozen.units + frozenDelta.units)!
        balance.version += entryCount
        return balance
    }
}

/// Numbers for the reference's names: customers from 1, house and world below zero.
private struct Names {
    let assets: [String: AssetNumber]

    init(_ books: Books) {
        assets = Dictionary(uniqueKeysWithValues: books.catalog.assets.values.map { ($0.symbol.text, $0.number) })
    }

    static func account(_ owner: String) -> AccountNumber {
        switch owner {
        case ReferenceBooks.house: -1
        case ReferenceBooks.world: -2
        default: AccountNumber((Scenario.customers + ["nobody"]).firstIndex(of: owner)! + 1)
        }
    }

    func key(_ purse: ReferenceBooks.Purse) -> BalanceKey {
        BalanceKey(account: Self.account(purse.owner), asset: assets[purse.asset]!)
    }
}

extension RunningBalances {
    /// What is done to the balances, in the order of their keys.
    fileprivate func changes(_ books: Books) -> [BalanceChange] {
        changedSlots(books).map { change(of: $0, books) }
    }
}

extension Books {
    fileprivate func balance(_ key: BalanceKey) -> Balance? {
        memory.balances.first { $0.key == key }?.balance
    }

    func decimals(_ asset: String) -> Int { catalog.assets[AssetSymbol(asset)!]!.decimals }

    /// What a connection would know that had read everything for this batch.
    fileprivate init(_ reference: ReferenceBooks, _ batch: [SettlementItem]) {
        let cache = AccountCache(countMax: 1_000)
        self.init(house: -1, world: -2, cache: cache)
        let assets = reference.assets.sorted { $0.key < $1.key }.enumerated().map { place, asset in
            Asset(number: Int32(place + 1), symbol: AssetSymbol(asset.key)!, decimals: asset.value)
        }
        let bySymbol = Dictionary(uniqueKeysWithValues: assets.map { ($0.symbol.text, $0) })
        catalog = Catalog(
            assets: assets,
            markets: reference.markets.sorted { $0.key < $1.key }.enumerated().map { place, market in
                Market(
                    number: Int32(place + 1), symbol: MarketSymbol(market.key)!, base: bySymbol[market.value.base]!,
                    quote: bySymbol[market.value.quote]!, priceDecimals: market.value.priceDecimals,
                    feeRule: market.value.fees)
            })
        let names = Names(self)
        for (id, standing) in reference.accounts {
            let status: AccountStatus =
                switch standing {
                case .frozen: .frozen
                case .closed: .closed
                case .active: .active
                }
            cache.contents.withLock { cached in
                let place = cached.place(of: Identifier(id)!)
                cached.set(Account(number: Names.account(id), id: Identifier(id)!, status: status), at: place)
            }
        }
        place(batch)
        placeBalances(batch)
        for place in memory.balances.indices.map({ AccountMemory.Place($0) }) {
            memory.set(balance: nil, at: place)
        }
        for (purse, money) in reference.purses {
            // Those that the batch does not touch are not needed.
            guard let place = memory.balances.firstIndex(where: { $0.key == names.key(purse) }) else { continue }
            memory.set(
                balance: Balance(
                    available: Amount(units: money.available)!, frozen: Amount(units: money.frozen)!,
                    version: money.version, lowest: purse.owner.hasPrefix("\t") ? nil : .zero, isStored: true),
                at: AccountMemory.Place(place))
        }
        for (key, held) in reference.holds {
            holds[key] = Hold(
                account: names.key(held.purse).account, asset: names.key(held.purse).asset,
                reserved: Amount(units: held.reserved)!, remaining: Amount(units: held.remaining)!)
        }
        let claimed = Set(batch.compactMap(\.receivedSequence))
        for (key, record) in reference.trades {
            trades[key] = RecordedTrade(
                key: key, trade: record.trade, status: TradeStatus(rawValue: record.state.rawValue)!,
                receivedSequence: record.place, attempts: 0, batch: nil, receivedAt: Timestamp(microseconds: 0),
                settledAt: nil)
            guard record.state == .pending, !claimed.contains(record.place) else { continue }
            for account in [record.trade.buyer, record.trade.seller] {
                oldestWaiting[account] = min(oldestWaiting[account] ?? .max, record.place)
            }
        }
        for (key, operation) in reference.operations {
            let asset = bySymbol[operation.asset.text]!
            operations[key] = RecordedOperation(
                key: key, kind: operation.kind, account: operation.account, asset: asset.number,
                amount: operation.amount.amount(decimals: asset.decimals)!, order: operation.order, batch: 0)
        }
    }
}
