import Foundation
import SettleTesting
import Testing
import TradeModel

@testable import Repository
@testable import WalletClient

/// What is read of the ledger by account is what its entries come to, however they are spread over indexed and bare
/// segments.
@Suite struct LedgerReaderTests {
    @Test(arguments: 0..<4 as Range<UInt64>)
    func `balances and statements at any time are the replay of the entries`(seed: UInt64) async throws {
        let run = try await ScenarioRun(seed: seed)
        let connection = try run.database.connect()
        let segments = try LedgerSegmentStore.read(connection)
        #expect(segments.contains { $0.isIndexed })
        #expect(segments.contains { !$0.isIndexed })
        #expect(Set(segments.map { $0.batches.lowerBound >> 20 }).count >= 3)

        let accounts = try run.accounts()
        var times = try run.commitTimes()
        times += [times[0].moved(-1), times[times.count / 2].moved(1), times.last!.moved(60_000_000)]
        for time in times {
            let read = try LedgerReader.read(connection) { reader throws(DatabaseError) in
                try reader.balances(of: accounts, asOf: time)
            }
            let replayed = try run.replay(until: time)
            #expect(read == replayed, "seed \(seed), at \(time)")
        }
        let one = try LedgerReader.read(connection) { reader throws(DatabaseError) in
            try reader.balances(of: accounts, asset: 1, asOf: times[times.count / 3])
        }
        let replayed = try run.replay(until: times[times.count / 3])
        #expect(one == replayed.filter { $0.key.asset == 1 })
        #expect(try run.database.violations() == [])
    }

    @Test(arguments: 0..<3 as Range<UInt64>)
    func `any stretch of a statement has all of its entries in order`(seed: UInt64) async throws {
        var run = try await ScenarioRun(seed: seed)
        let connection = try run.database.connect()
        let now = try BalanceStore.current(of: run.accounts(), asset: nil, connection)
        for (key, moment) in now where moment.version > 0 {
            let all = try run.entries(of: key)
            #expect(all.count == Int(moment.version))
            for _ in 0..<4 {
                let first = Int64.random(in: 1...moment.version, using: &run.scenario.random)
                let last = Int64.random(in: first...moment.version, using: &run.scenario.random)
                let lines = try LedgerReader.read(connection) { reader throws(DatabaseError) in
                    try reader.lines(of: key, versions: first...last, newest: moment.version)
                }
                #expect(
                    lines.map { "\($0.version) \($0.availableChange) \($0.available) \($0.frozen) \($0.cause.text)" }
                        == Array(all[Int(first) - 1..<Int(last)]), "seed \(seed), \(key), \(first)...\(last)")
                for (earlier, later) in zip(lines, lines.dropFirst()) {
                    let sums = try (
                        earlier.available.adding(later.availableChange), earlier.frozen.adding(later.frozenChange)
                    )
                    #expect(sums == (later.available, later.frozen))
                }
            }
        }
    }

    @Test func `a range that is full is read by its index, and what is appended by none`() async throws {
        let run = try await ScenarioRun(seed: 11)
        let connection = try run.database.connect()
        let segments = try LedgerSegmentStore.read(connection)
        #expect(segments.map(\.isIndexed) == [true, true, false])
        try connection.script("set enable_seqscan = off; set enable_bitmapscan = off; set enable_sort = off")
        for segment in segments where segment.isIndexed {
            let rows = try connection.query(
                Statement(
                    "plan_\(segment.batches.lowerBound)",
                    """
                    explain select * from ledger_entries
                     where batch_no >= \(segment.batches.lowerBound) and batch_no < \(segment.batches.upperBound)
                       and account_no = 5 and asset_no = 1 and version >= 3 order by version limit 1
                    """))
            let plan = rows.indices.map { rows.string($0, 0) }.joined(separator: "\n")
            #expect(plan.contains("_by_account"), "\(plan)")
        }
    }

    @Test func `a balance as of a moment ago waits for the batch that is just committing`() async throws {
        let database = try TestDatabase()
        try database.addMarket()
        let wallet = database.wallet()
        _ = try await wallet.settle([deposit("k1")])
        // Just before the batch's row is there, when it says already when it commits.
        let holder = try database.holdingUp(insertsInto: "batches")
        let before = try now(database)
        async let deposited = wallet.settle([deposit("k2")])
        try await database.untilWaitingForLocks(1)
        let time = try now(database)

        // What was before it has begun is known; what it may still change is not.
        #expect(try available(in: database, asOf: before, patience: .zero) == "1")
        #expect(throws: HorizonError.self) {
            try available(in: database, asOf: time, patience: .milliseconds(100))
        }
        let asked = inBackground { try self.available(in: database, asOf: time, patience: .seconds(60)) }
        try await database.until(
            """
            select exists (select from pg_stat_activity where query like '%virtualtransaction = any%'
                              and pid <> pg_backend_pid() and datname = current_database())
            """)
        try holder.script("commit")
        #expect(try await asked.value == "2")
        #expect(try await deposited == [.settled])
        #expect(try available(in: database, asOf: time, patience: .zero) == "2")
        #expect(try database.violations() == [])
    }

    @Test func `a time that comes while others are waited for is read as of the moment of the question`() async throws {
        // Given: somebody writes, and has not committed.
        let database = try TestDatabase()
        try database.addMarket()
        let wallet = database.wallet()
        _ = try await wallet.settle([deposit("k1")])
        let writer = try database.connect()
        try writer.script("begin; lock table batches in row exclusive mode")
        let before = try now(database)

        // When: it is asked about a time that has not come yet, and comes before the writer has ended.
        let time = before.moved(3_000_000)
        let asked = inBackground {
            try self.available(in: database, asOf: time, upTo: [before, time], patience: .seconds(60))
        }
        try await database.until(
            """
            select exists (select from pg_stat_activity where query like '%virtualtransaction = any%'
                              and pid <> pg_backend_pid() and datname = current_database())
            """)
        try await database.until("select clock_timestamp() > '\(time)'")
        #expect(try await wallet.settle([deposit("k2")]) == [.settled])
        try writer.script("commit")

        // Then: what was committed after it is not in the answer, whoever asks again.
        #expect(try await asked.value == "1")
        #expect(try available(in: database, asOf: time, patience: .zero) == "1")
        #expect(try database.violations() == [])
    }

    private func now(_ database: TestDatabase) throws -> Timestamp {
        try database.connect().query(Statement("now", "select clock_timestamp()")).timestamp(0, 0)
    }

    /// What all balances of customers together had available then.
    private func available(
        in database: TestDatabase, asOf time: Timestamp, upTo times: [Timestamp]? = nil, patience: Duration
    ) throws -> String {
        let connection = try database.connect()
        let customers = try connection.query(
            Statement("customers", "select account_no from accounts where kind = 'customer'"))
        let moments = try LedgerReader.read(connection, upTo: times ?? [time], patience: patience) {
            reader throws(DatabaseError) in
            try reader.balances(of: customers.indices.map { customers.int64($0, 0) }, asOf: time)
        }
        return try moments.values.reduce(Amount.zero) { try $0.adding($1.available) }.text(decimals: 8)
            .replacing(/\.0+$/, with: "")
    }

    @Test func `the number of a transaction that took too long is refused, and the batch is to be tried again`()
        async throws
    {
        // Given: a batch that waits for a balance, and a second in place of the three minutes that it may take.
        let database = try TestDatabase()
        try database.addMarket()
        let wallet = database.wallet()
        #expect(try await wallet.settle([deposit("k1")]) == [.settled])
        let strict = try database.value("select pg_get_functiondef('timely_batch'::regproc)")
            .replacing("> 180", with: "> 1")
        try database.execute(strict)
        let holder = try database.holding("amy", "BTC")
        async let outcomes = wallet.settle([deposit("k2")])
        try await database.untilWaitingForLocks(1)
        // When: it goes on after that.
        try await database.until(
            """
            select exists (select from pg_stat_activity where datname = current_database()
                              and wait_event_type = 'Lock' and clock_timestamp() - xact_start > '1 second')
            """)
        try holder.commit()
        do {
            Issue.record("\(try await outcomes)")
        } catch let error as WalletError {
            #expect(error.kind == "retry" && error.fault?.sqlState == "40001", "\(error)")
        }
        // Then: nothing is written, and the next try settles under a later number.
        #expect(try database.count("batches") == 1)
        #expect(try await wallet.settle([deposit("k2")]) == [.settled])
        #expect(try database.value("select max(batch_no) - min(batch_no) from batches") == "2")
        // A clock that was put back counts the same.
        #expect(throws: DatabaseError.self) {
            try database.value("timely_batch(1, clock_timestamp() + interval '4 minutes')")
        }
        #expect(try database.violations() == [])
    }

    @Test func `a batch has its number from its own transaction, so that numbers and commits rise together`()
        async throws
    {
        let database = try TestDatabase()
        try database.addMarket()
        let (early, late) = (database.wallet(), database.wallet())
        _ = try await early.settle([deposit("k1")])
        for number in 2...4 { _ = try await late.settle([deposit("k\(number)")]) }
        _ = try await early.settle([deposit("k5")])
        let byNumber = try database.value("select string_agg(key, ',' order by batch_no) from operations")
        #expect(byNumber == "k1,k2,k3,k4,k5")
        // None was taken that is not used.
        #expect(
            try database.value("(select last_value from batch_numbers) - (select max(batch_no) from batches)") == "0")
        #expect(try database.violations() == [])
    }

    @Test func `a batch makes the range of its number where there is none, and takes it back with itself`() async throws
    {
        // Given: a wallet that knows of the first range, and the number has moved beyond those that are ready.
        let database = try TestDatabase()
        try database.addMarket()
        let wallet = database.wallet()
        #expect(try await wallet.settle([deposit("k1")]) == [.settled])
        try database.execute("select setval('batch_numbers', (1 << 20) * 5)")
        // When: a batch in the new range is undone at its end.
        let usual = try database.value("select pg_get_functiondef('timely_batch'::regproc)")
        try database.execute(
            """
            create or replace function timely_batch(number bigint, given_at timestamptz) returns bigint
            language plpgsql as $$ begin raise 'too late' using errcode = 'serialization_failure'; end $$
            """)
        #expect(try await failure { try await wallet.settle([deposit("k2")]) }?.kind == "retry")
        #expect(try database.value("select to_regclass('ledger_entries_5') is null") == "true")
        try database.execute(usual)
        // Then: the next one makes it again, and whoever comes later finds it.
        #expect(try await wallet.settle([deposit("k2")]) == [.settled])
        #expect(try await database.wallet().settle([deposit("k3")]) == [.settled])
        #expect(try await wallet.settle([deposit("k4")]) == [.settled])
        #expect(try database.value("select count(*) from ledger_entries_5") == "6")
        #expect(try database.violations() == [])
    }

    private func deposit(_ key: String) -> SettlementItem {
        SettlementItem(
            .operation(
                Operation(
                    key: Identifier(key)!, kind: .deposit, account: Identifier("amy")!, asset: AssetSymbol("BTC")!,
                    amount: DecimalNumber("1")!)),
            origin: .message("test"))
    }
}

/// Some dozens of batches by two wallets, over three ranges of the ledger, with indexes built in between.
private struct ScenarioRun {
    let database: TestDatabase
    var scenario: Scenario

    init(seed: UInt64) async throws {
        database = try TestDatabase()
        scenario = Scenario(seed: seed, size: .tight)
        let connection = try database.connect()
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
        try connection.liftStatementTimeout()
        let wallets = [database.wallet(), database.wallet()]
        _ = try await wallets[0].settle(scenario.startingDeposits())
        for round in 0..<60 {
            let batch = (0..<Int.random(in: 1..<12, using: &scenario.random)).map { _ in scenario.next() }
            _ = try await wallets[Int.random(in: 0...1, using: &scenario.random)].settle(batch)
            if round % 5 == 2 {
                while try ReadingIndexStore.advance(on: connection) != nil {}
            }
            if round == 9 || round == 19 {
                try database.execute(
                    "select setval('batch_numbers', (ledger_range_of(last_value) + 1) << 20) from batch_numbers")
            }
        }
    }

    func accounts() throws -> [AccountNumber] {
        let rows = try database.connect().query(Statement("all_accounts", "select account_no from accounts"))
        return rows.indices.map { rows.int64($0, 0) }
    }

    func commitTimes() throws -> [Timestamp] {
        let rows = try database.connect().query(
            Statement("all_times", "select committed_at from batches order by committed_at"))
        return rows.indices.map { rows.timestamp($0, 0) }
    }

    /// By the plainest query there is.
    func replay(until time: Timestamp) throws -> [BalanceKey: BalanceMoment] {
        let rows = try database.connect().query(
            Statement(
                "replay",
                """
                select b.account_no, b.asset_no, count(e.version), coalesce(sum(e.available_delta), 0),
                       coalesce(sum(e.frozen_delta), 0)
                  from balances b left join (select * from ledger_entries join batches using (batch_no)
                                              where committed_at <= $1) e
                    on (e.account_no, e.asset_no) = (b.account_no, b.asset_no)
                 group by b.account_no, b.asset_no
                """), .timestamp(time))
        return rows.indices.reduce(into: [:]) { moments, row in
            moments[BalanceKey(account: rows.int64(row, 0), asset: rows.int32(row, 1))] = BalanceMoment(
                version: rows.int64(row, 2), available: rows.amount(row, 3), frozen: rows.amount(row, 4))
        }
    }

    func entries(of key: BalanceKey) throws -> [String] {
        let rows = try database.connect().query(
            Statement(
                "all_entries",
                """
                select version || ' ' || available_delta || ' ' || available_after || ' ' || frozen_after || ' ' || cause_id
                  from ledger_entries where account_no = $1 and asset_no = $2 order by version
                """), .int8(key.account), .int4(key.asset))
        return rows.indices.map { rows.string($0, 0) }
    }
}

extension Timestamp {
    fileprivate func moved(_ microseconds: Int64) -> Timestamp {
        Timestamp(microseconds: self.microseconds + microseconds)
    }
}
