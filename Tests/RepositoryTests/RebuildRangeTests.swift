import Dispatch
import ServiceKit
import SettleTesting
import Testing
import TradeModel
import WalletClient

@testable import Repository

/// The books are rebuilt in ranges of batches while they grow, and all of it is of the moment at which it began.
@Suite struct RebuildRangeTests {
    /// So few entries a range that most balances go through many of them.
    private static let few: Int64 = 7

    private let database: TestDatabase
    private let wallet: Wallet

    /// Deposits, a hold, a parked trade, a trade that was taken back, and trades in batches of a few.
    init() async throws {
        database = try TestDatabase()
        wallet = database.wallet()
        let load = TradeLoad(60, accounts: 6, seed: 1)
        try await load.prepare(database)
        _ = try await wallet.settle([
            operation("r1", .reserve, "acc-1", "1", "BTC", order: "o1"), trade("t2", quantity: "5"),
            operation("rest", .deposit, "resting", "5", "USDT"),
        ])
        for start in stride(from: 0, to: 60, by: 4) { try await settle(load.trades[start..<start + 4]) }
        try await reverse("t-7")
    }

    private func settle(_ trades: some Collection<Trade>) async throws {
        let outcomes = try await wallet.settle(trades.map { SettlementItem(.trade($0), origin: .message("test")) })
        guard outcomes.allSatisfy({ $0 == .settled }) else { throw WaitedInVain(description: "trades: \(outcomes)") }
    }

    private func reverse(_ id: String) async throws {
        let connection = try database.connect()
        let key = TradeKey(market: MarketSymbol("BTC/USDT")!, id: Identifier(id)!)
        let catalog = try CatalogStore.read(connection)
        let settled = TradeStore.decode(try connection.query(TradeStore.read([key])))[0]
        let terms = try ReversalStore.terms(
            of: key, settledIn: settled.batch!, catalog.markets[key.market]!, catalog, connection)
        guard case .reversed = try await wallet.reverse(terms, actor: "eve", reason: "a slip") else {
            throw WaitedInVain(description: "\(id) is not reversed")
        }
    }

    /// Rebuilds in small ranges, and does `step` between any two of them.
    private func rebuild(
        rangeEntries: Int64 = few, between step: @escaping @Sendable (Int) async throws -> Void = { _ in }
    ) async throws -> Rebuild {
        try await onThreadOfItsOwn {
            let (connection, watcher) = (try database.connect(), try database.connect())
            var count = 0
            var failure: (any Error)?
            let rebuild = try Rebuild(of: nil, rangeEntries: rangeEntries, on: connection) { _ in
                do {
                    guard try watcher.query(Self.idleStatement, .int8(Int64(connection.backend))).bool(0, 0) else {
                        throw WaitedInVain(description: "a transaction is open between two ranges")
                    }
                    count += 1
                    try Self.blocking { [count] in try await step(count) }
                } catch { failure = failure ?? error }
            }
            if let failure { throw failure }
            guard count > 15 || rangeEntries != Self.few else { throw WaitedInVain(description: "\(count) ranges") }
            return rebuild
        }
    }

    private static let idleStatement = Statement(
        "idle", "select xact_start is null and backend_xmin is null from pg_stat_activity where pid = $1")

    private static func blocking(_ body: @escaping @Sendable () async throws -> Void) throws {
        let ended = DispatchSemaphore(value: 0)
        let outcome = Guarded<Result<Void, any Error>>(.success(()))
        Task.detached {
            do { try await body() } catch { outcome.withLock { $0 = .failure(error) } }
            ended.signal()
        }
        ended.wait()
        try outcome.withLock { $0 }.get()
    }

    private func names(_ rebuild: Rebuild) -> Set<String> {
        Set(rebuild.differences.map { "\($0.account) \($0.asset) \($0.figure) \($0.change)" })
    }

    private static let number = "(select account_no from accounts where id = 'acc-2' and kind = 'customer')"
    private static let usdt = "(select asset_no from assets where symbol = 'USDT')"
    private static let ofSomebody = "account_no = \(number) and asset_no = \(usdt)"
    private static let later = TradeLoad(200, accounts: 6, seed: 2, prefix: "later").trades

    private func settleLater(_ step: Int) async throws {
        try await settle(Self.later[(step % 50) * 4..<(step % 50) * 4 + 4])
    }

    // MARK: While settlement goes on

    @Test func `books that grow meanwhile are what they were at the beginning`() async throws {
        // given
        let (balances, entries) = (try database.count("balances"), try database.count("ledger_entries"))
        let trades = try database.trades(.settled) - 1
        // when: each account trades between any two ranges, new ones come, and trades of every age are taken back
        let rebuild = try await rebuild { step in
            if step < 50 { try await settleLater(step) }
            _ = try await wallet.settle([operation("new-\(step)", .deposit, "new-\(step)", "1", "USDT")])
            if step % 5 == 0 { try await reverse("t-\(60 - step)") }
            if step % 5 == 1, step > 1 { try await reverse("later-\(4 * step)") }
        }
        // then
        #expect(rebuild.differences == [])
        #expect((rebuild.balances, rebuild.entries) == (Int64(balances), Int64(entries)))
        #expect(rebuild.trades == Int64(trades))
        #expect(try database.count("reversals") > 5)
        #expect(try database.violations() == [])
        #expect(try await self.rebuild().differences == [])
    }

    @Test func `a nudged balance that keeps moving is named`() async throws {
        try database.damage("update balances set available = available + 1 where \(Self.ofSomebody)")
        let rebuild = try await rebuild { step in if step < 50 { try await settleLater(step) } }
        #expect(names(rebuild) == ["acc-2 USDT available -0.000001"])
    }

    @Test func `a balance taken away is named, while new ones come`() async throws {
        try database.damage(
            "delete from balances where account_no = (select account_no from accounts where id = 'resting')")
        let rebuild = try await rebuild { step in
            _ = try await wallet.settle([operation("new-\(step)", .deposit, "new-\(step)", "1", "USDT")])
        }
        #expect(names(rebuild) == ["resting USDT available 5.000000", "resting USDT version 1"])
    }

    @Test func `what commits behind a batch that is waited for belongs to the same moment`() async throws {
        // given: a batch that has its number, and is not decided
        let slow = try database.connect()
        try slow.script("begin; select nextval('batch_numbers')")
        async let rebuilding = rebuild()
        try await eventually("the rebuild waits for the batch") {
            try database.count("pg_stat_activity where query like '%pg_locks%' and datname = current_database()") > 1
        }
        // when: trades settle with later numbers, of a new account too, and are taken back
        try await settleLater(0)
        _ = try await wallet.settle([operation("new", .deposit, "new", "1", "USDT")])
        for id in ["later-2", "t-20"] { try await reverse(id) }
        try slow.script("rollback")
        // then
        let rebuild = try await rebuilding
        #expect(rebuild.differences == [])
        #expect(rebuild.entries == Int64(try database.count("ledger_entries")))
        #expect(rebuild.trades == Int64(try database.trades(.settled) - 3))
        #expect(try database.violations() == [])
    }

    @Test func `a batch that stays undecided is not waited for without end`() async throws {
        let slow = try database.connect()
        try slow.script("begin; select nextval('batch_numbers')")
        #expect(throws: HorizonError.self) {
            try Rebuild(of: nil, patience: .milliseconds(20), on: try database.connect())
        }
    }

    // MARK: The same, however it is cut

    @Test(arguments: ["9223372036854775807", "900000", "0", "-1", "-9223372036854775808"])
    func `a number that no batch has hides nothing`(number: String) async throws {
        let before = try await rebuild()
        try database.damage(
            """
            update trades set batch_no = \(number) where trade_id = 't-1';
            update operations set batch_no = \(number) where key = 'rest';
            update reversals set batch_no = \(number)
            """)
        if number == "900000" {
            try database.damage("update ledger_entries set batch_no = \(number) where cause_id = 't-1'")
        }
        let rebuild = try await rebuild()
        #expect(rebuild.differences == [])
        #expect((rebuild.entries, rebuild.trades) == (before.entries, before.trades))
        #expect(rebuild.operations == before.operations)
    }

    private static func entry(_ index: Int) -> String {
        """
        (batch_no, place) = (select batch_no, place from ledger_entries order by batch_no, place
                              offset \(index) % (select count(*) from ledger_entries) limit 1)
        """
    }

    /// Of two people, and not taken back.
    private static func someTrade(_ index: Int) -> String {
        """
        trade_id = (select trade_id from trades where status = 'SETTLED' and buyer_id <> seller_id
                       and trade_id not in (select trade_id from reversals) order by trade_id offset \(index % 30) limit 1)
        """
    }

    /// What changes a sum: done to the entry, the trade, the operation or the balance of a number.
    private static let damages: [@Sendable (Int) -> String] = [
        { "delete from ledger_entries where \(entry($0))" },
        { "insert into ledger_entries select * from ledger_entries where \(entry($0))" },
        { "update ledger_entries set available_delta = available_delta + 3 where \(entry($0))" },
        { "update ledger_entries set account_no = account_no % 6 + 1 where \(entry($0))" },
        { "update ledger_entries set frozen_delta = 1 where \(entry($0))" },
        {
            """
            insert into ledger_entries
            select 900000, account_no, version, place, asset_no, market_no, kind, cause_id, available_delta,
                   frozen_delta, available_after, frozen_after from ledger_entries where \(entry($0))
            """
        },
        { "update trades set quantity = quantity + 1 where \(someTrade($0))" },
        { "update trades set quantity = quantity + 1, batch_no = - batch_no where \(someTrade($0))" },
        { "update trades set quantity = quantity + 1, batch_no = 900000 where \(someTrade($0))" },
        { "update trades set status = 'FAILED' where \(someTrade($0))" },
        { "delete from trades where \(someTrade($0))" },
        { _ in "delete from reversals" },
        {
            """
            insert into reversals
            select market, trade_id, 900000, 'eve', 'a slip' from trades where \(someTrade($0))
            """
        },
        { "delete from operations where key = (select key from operations order by key offset \($0) % 14 limit 1)" },
        { _ in "update balances set frozen = frozen + 1 where \(ofSomebody)" },
        { _ in "update balances set version = version + 1 where \(ofSomebody)" },
    ]

    @Test(arguments: damages.indices)
    func `damage is found alike by tiny ranges and by one`(kind: Int) async throws {
        let index = Int.random(in: 0..<1_000)
        let done = Self.damages[kind](index)
        try database.damage(done)
        let whole = try await rebuild(rangeEntries: .max)
        #expect(!whole.isClean, "\(done)")
        for rangeEntries in [1, Self.few, 40] {
            let tiny = try await rebuild(rangeEntries: rangeEntries)
            #expect(tiny.differences == whole.differences, "ranges of \(rangeEntries): \(done)")
            #expect((tiny.entries, tiny.trades, tiny.operations) == (whole.entries, whole.trades, whole.operations))
        }
    }
}
