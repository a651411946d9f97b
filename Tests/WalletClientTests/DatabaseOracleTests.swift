import Repository
import ServiceKit
import SettleTesting
import Testing
import TradeModel

@testable import WalletClient

/// The whole way to the tables and back, against the reference that takes one item at a time.
@Suite struct DatabaseOracleTests {
    @Test(arguments: 0..<6 as Range<UInt64>)
    func `batches hand in hand on wallets with stale caches book what one item at a time would`(seed: UInt64)
        async throws
    {
        var run = try DatabaseRun(seed: seed)
        try await run.start()
        for batch in 0..<40 {
            try await run.settleBatch()
            if let difference = try run.difference() {
                Issue.record("seed \(seed), batch \(batch): \(difference)")
                return
            }
        }
        try await run.settleWhatWaits()
        #expect(try run.difference() == nil, "seed \(seed)")
        #expect(try run.database.value("select count(*) from trades where status = 'PENDING'") == "0", "seed \(seed)")
        #expect(try run.database.violations() == [], "seed \(seed)")
        #expect(run.kinds.count >= 8, "seed \(seed) came only to \(run.kinds)")
    }
}

private struct DatabaseRun {
    let database: TestDatabase
    let wallets: WalletPool
    let worker: Int64
    var scenario: Scenario
    var reference: ReferenceBooks
    var claimed: [SettlementItem] = []
    var letters: Set<[UInt8]> = []
    var kinds: Set<ReferenceBooks.Verdict> = []
    let connection: PostgresConnection

    init(seed: UInt64) throws {
        database = try TestDatabase()
        connection = try database.connect()
        for market in Scenario.markets {
            let symbol = MarketSymbol(market.symbol)!
            _ = try connection.pipeline(
                [symbol.base, symbol.quote].map { asset in
                    CatalogStore.addAsset(asset, decimals: Scenario.assets.first { $0.key == asset.text }!.value)
                } + [
                    CatalogStore.addMarket(
                        symbol, priceDecimals: market.priceDecimals, tick: nil, lot: nil, fees: market.fees)
                ])
        }
        var limits = TestDatabase.patientLimits
        limits.deferralMilliseconds = 0
        limits.cachedBalancesMax = 12
        // The reference has one account for the outside world, which amounts of 38 digits can fill; two wallets have
        // two.
        let size = seed % 2 == 0 ? Scenario.Size.tight : .extreme
        wallets = WalletPool(database.walletConfiguration(limits), connectionCount: size == .tight ? 2 : 1)
        worker = try WorkerIdentity.register(on: connection, version: "1").number
        scenario = Scenario(seed: seed, size: size)
        reference = scenario.emptyBooks()
    }

    mutating func start() async throws {
        try await settle(scenario.startingDeposits())
        reference.accounts["ice"] = .frozen
        reference.accounts["gone"] = .closed
        try database.execute("update accounts set status = 'frozen' where id = 'ice'")
        try database.execute("update accounts set status = 'closed' where id = 'gone'")
    }

    mutating func settleBatch() async throws {
        for _ in 0..<Int.random(in: 0..<4, using: &scenario.random) {
            let trade = scenario.trade()
            guard reference.markets[trade.market.text] != nil else { continue }
            _ = reference.accept(trade)
            try connection.query(TradeStore.accept([trade]))
        }
        try claim(limit: Int.random(in: 0..<4, using: &scenario.random))
        var batch: [SettlementItem] = []
        for _ in 0..<Int.random(in: 1..<30, using: &scenario.random) {
            if !claimed.isEmpty, Int.random(in: 0..<4, using: &scenario.random) == 0 {
                batch.append(claimed.removeFirst())
            }
            batch.append(scenario.next())
        }
        try await settle(batch)
    }

    mutating func settleWhatWaits() async throws {
        for _ in 0..<100 {
            try claim(limit: 5)
            if claimed.isEmpty { return }
            let batch = claimed
            claimed = []
            try await settle(batch)
        }
    }

    private mutating func claim(limit: Int) throws {
        let rows = try connection.query(
            TradeStore.claim(worker: worker, limit: limit, heartbeatTimeoutMilliseconds: 60_000))
        claimed += TradeStore.decode(rows).map {
            SettlementItem(
                .trade($0.trade!), origin: .pending(receivedSequence: $0.receivedSequence, attempts: $0.attempts))
        }
        claimed.sort { $0.receivedSequence! < $1.receivedSequence! }
    }

    /// Settles neighbours in batches of their own, each begun without waiting for the one before it to end.
    private mutating func settle(_ items: [SettlementItem]) async throws {
        var batches: [[SettlementItem]] = []
        var rest = items[...]
        while !rest.isEmpty {
            batches.append(Array(rest.prefix(Int.random(in: 1...max(1, items.count / 2), using: &scenario.random))))
            rest = rest.dropFirst(batches.last!.count)
        }
        let verdicts = batches.map { decide($0) }
        let outcomes = try await withThrowingTaskGroup(of: (Int, [Outcome]).self) { [wallets] group in
            var turn: Turn?
            for (place, batch) in batches.enumerated() {
                let following = Turn(after: turn)
                turn = following
                group.addTask { (place, try await wallets.settle(batch, resolving: nil, in: following)) }
            }
            return try await group.reduce(into: Array(repeating: [Outcome](), count: batches.count)) { $0[$1.0] = $1.1 }
        }
        for (place, batch) in batches.enumerated() {
            for index in batch.indices where ReferenceBooks.Verdict(outcomes[place][index]) != verdicts[place][index] {
                let (outcome, verdict) = (outcomes[place][index], verdicts[place][index])
                Issue.record(
                    "item \(index) of batch \(place), \(batch[index].subject): \(outcome) instead of \(verdict)")
            }
        }
    }

    private mutating func decide(_ batch: [SettlementItem]) -> [ReferenceBooks.Verdict] {
        reference.openAccounts(of: batch)
        reference.entries = []
        let verdicts = batch.map { reference.decide($0) }
        kinds.formUnion(verdicts)
        for (item, verdict) in zip(batch, verdicts) {
            guard case .rejected = verdict else { continue }
            switch item.subject {
            case .trade(let trade): letters.insert(trade.contentBytes)
            case .refused: letters.insert(item.payload)
            case .operation: break
            }
        }
        return verdicts
    }

    func difference() throws -> String? {
        let balances = try connection.query(
            Statement(
                "test_balances",
                """
                select case a.kind when 'customer' then a.id else E'\\t' || a.kind end, s.symbol,
                       sum(b.available)::text || ' ' || sum(b.frozen)::text,
                       case a.kind when 'customer' then sum(b.version)::bigint end
                  from balances b join accounts a using (account_no) join assets s using (asset_no)
                 group by a.kind, 1, 2
                """))
        var unseen = reference.purses
        for row in balances.indices {
            let purse = ReferenceBooks.Purse(owner: balances.string(row, 0), asset: balances.string(row, 1))
            let money = unseen.removeValue(forKey: purse) ?? ReferenceBooks.Money()
            let expected = "\(money.available) \(money.frozen)"
            if balances.string(row, 2) != expected { return "\(purse): \(balances.string(row, 2)), not \(expected)" }
            if let version = balances.optional(row, 3, balances.int64), version != money.version {
                return "\(purse): version \(version), not \(money.version)"
            }
        }
        if let missing = unseen.keys.first { return "no balance of \(missing)" }

        let trades = try connection.query(
            Statement("test_trades", "select market, trade_id, status::text from trades order by received_seq"))
        let places = reference.trades.values.filter { $0.state == .pending }.sorted { $0.place < $1.place }
        let waiting = trades.indices.filter { trades.string($0, 2) == "PENDING" }
        if waiting.map({ trades.string($0, 1) }) != places.map(\.trade.id.text) {
            return "another order of waiting rows"
        }
        if trades.count != reference.trades.count { return "\(trades.count) trades" }
        for row in trades.indices {
            let key = TradeKey(market: MarketSymbol(trades.string(row, 0))!, id: Identifier(trades.string(row, 1))!)
            let state = reference.trades[key]?.state.rawValue
            if state != trades.string(row, 2) { return "\(key) is \(trades.string(row, 2)), not \(state ?? "there")" }
        }
        let parked = try connection.query(Statement("test_letters", "select count(*) from dead_letters")).int64(0, 0)
        return parked == letters.count ? nil : "\(parked) letters, not \(letters.count)"
    }
}
