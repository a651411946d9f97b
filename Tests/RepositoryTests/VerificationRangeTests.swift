import Dispatch
import Foundation
import ServiceKit
import SettleTesting
import Testing
import TradeModel
import WalletClient

@testable import Repository

/// The books are verified in ranges of batches, and what is wrong is found wherever the ranges begin and end.
@Suite struct VerificationRangeTests {
    /// So few entries a range that most balances go through many of them.
    private static let few: Int64 = 7

    /// Deposits, a hold, a parked trade, and trades in batches of a few.
    private func books(seed: UInt64 = 1, trades count: Int = 60) async throws -> TestDatabase {
        let database = try TestDatabase()
        let load = TradeLoad(count, accounts: 6, seed: seed)
        try await load.prepare(database)
        let wallet = database.wallet()
        _ = try await wallet.settle([
            operation("r1", .reserve, "acc-1", "1", "BTC", order: "o1"), trade("t2", quantity: "5"),
        ])
        var rest = load.trades[...]
        var generator = SeededGenerator(seed: seed)
        while !rest.isEmpty {
            let batch = rest.prefix(Int.random(in: 1...5, using: &generator))
            rest = rest.dropFirst(batch.count)
            _ = try await wallet.settle(batch.map { SettlementItem(.trade($0), origin: .message("test")) })
        }
        return database
    }

    private func report(
        _ database: TestDatabase, rangeEntries: Int64 = few, _ kind: Verification.Kind = .full, actor: String? = nil
    ) throws -> Verification.Report {
        var options = Verification.Options(kind, actor: actor)
        options.rangeEntries = rangeEntries
        return try #require(try Verification.run(options, on: try database.connect()))
    }

    private func subjects(_ report: Verification.Report) -> Set<String> {
        Set(report.violations.map { "\($0.invariant): \($0.subject)" })
    }

    private static let number = "(select account_no from accounts where id = 'acc-2' and kind = 'customer')"
    private static let usdt = "(select asset_no from assets where symbol = 'USDT')"
    private static let ofSomebody = "account_no = \(number) and asset_no = \(usdt)"

    // MARK: While the ledger grows faster than it is read

    /// What a run finds that begins with the books of 60 trades, while behind each range of a few entries come those of
    /// ten trades; how many came, and how many entries were read in one snapshot at most.
    private func reportWhileGrowing(
        _ database: TestDatabase, meanwhile: @escaping @Sendable () throws -> Void = {}
    ) async throws -> (report: Verification.Report, came: Int, entriesMax: Int64) {
        let wallet = database.wallet()
        return try await onThreadOfItsOwn {
            var options = Verification.Options(actor: "test")
            options.rangeEntries = Self.few
            let load = TradeLoad(2_000, accounts: 6, seed: 9, prefix: "later").trades
            var rest = load[...]
            var (entries, entriesMax) = (Int64(0), Int64(0))
            let report = try Verification.run(options, on: try database.connect()) { total in
                entriesMax = max(entriesMax, total - entries)
                entries = total
                let batch = rest.prefix(10).map { SettlementItem(.trade($0), origin: .message("test")) }
                let isFirst = rest.count == load.count
                rest = rest.dropFirst(10)
                let isSettled = DispatchSemaphore(value: 0)
                Task.detached {
                    _ = try? await wallet.settle(batch)
                    isSettled.signal()
                }
                isSettled.wait()
                if isFirst { #expect(throws: Never.self) { try meanwhile() } }
            }
            #expect(report?.entries == entries)
            return (try #require(report), load.count - rest.count, entriesMax)
        }
    }

    @Test func `a ledger that grows faster than it is read is read to the end that it had`() async throws {
        let database = try await books()
        let begun = Int64(try database.count("ledger_entries"))
        // when
        let (report, came, entriesMax) = try await reportWhileGrowing(database)
        // then: no snapshot had more than a range, which ends with the batch that fills it
        #expect(report.violations == [])
        #expect(report.entries == begun && came >= 100)
        #expect(
            try entriesMax < Self.few + Int64(database.value("select max(entries) from batches where batch_no <= 30"))!)
        // then: what came meanwhile is the next run's
        let since = try self.report(database, .since)
        #expect(since.violations == [] && since.fromBatch == report.toBatch + 1)
        #expect(try since.entries + begun == Int64(database.count("ledger_entries")))
    }

    private static let somebodysLast = """
        (batch_no, place) = (select batch_no, place from ledger_entries where \(ofSomebody)
                              order by version desc limit 1)
        """

    /// What is done before a run, and what the run has to name though the balance moves on.
    private static let hotDamages: [(sql: String, finds: String)] = [
        ("update balances set available = available + 1 where \(ofSomebody)", "2: balance of customer acc-2 in USDT"),
        ("update balances set version = version + 1 where \(ofSomebody)", "2: balance of customer acc-2 in USDT"),
        ("delete from ledger_entries where \(somebodysLast)", "2: balance of customer acc-2 in USDT"),
        ("update trades set batch_no = - batch_no where trade_id = 't-9'", "3: trade BTC/USDT:t-9"),
        ("update trades set batch_no = batch_no + 1000000 where trade_id = 't-9'", "3: trade BTC/USDT:t-9"),
        (
            "update trades set batch_no = (select last_value + 2 from batch_numbers) where trade_id = 't-9'",
            "3: trade BTC/USDT:t-9"
        ),
        (
            "insert into batches (batch_no, trades, operations, rejected, entries) values (1000000, 0, 0, 0, 0)",
            "3: batch 1000000"
        ),
    ]

    @Test(arguments: hotDamages.indices)
    func `damage is found in a ledger that grows faster than it is read`(index: Int) async throws {
        let database = try await books()
        let (sql, finds) = Self.hotDamages[index]
        try database.damage(sql)
        let (report, came, _) = try await reportWhileGrowing(database)
        #expect(came >= 100)
        #expect(subjects(report).contains { $0.hasPrefix(finds) }, "\(report.violations)")
        #expect(try database.value("select count(*) from verified_balances") == "0")
    }

    @Test(arguments: ["available = available + 1", "version = version - 1", "frozen = 1"])
    func `a balance that rests and is changed meanwhile is found`(change: String) async throws {
        let database = try await books()
        _ = try await database.wallet().settle([operation("d-rest", .deposit, "resting", "1", "BTC")])
        let (report, _, _) = try await reportWhileGrowing(database) {
            try database.damage(
                "update balances set \(change) where account_no = "
                    + "(select account_no from accounts where id = 'resting')")
        }
        #expect(subjects(report).contains("2: balance of customer resting in BTC"), "\(report.violations)")
    }

    @Test func `a number that a stream counts and no trade has is found in a ledger that grows`() async throws {
        let database = try await books()
        try database.damage(
            """
            insert into trade_streams (stream, newest) values ('other', 60);
            update trades set stream = 'other', stream_seq = substr(trade_id, 3)::bigint where trade_id like 't-%';
            """)
        #expect(try await reportWhileGrowing(database).report.violations == [])
        try database.damage("update trades set stream_seq = null where trade_id = 't-58'")
        // when: what is counted grows, too
        let (report, _, _) = try await reportWhileGrowing(database) {
            try database.damage("update trade_streams set newest = 1000")
        }
        #expect(
            report.violations.map(\.detail) == ["number 58 is counted, and no trade and no letter has it"])
    }

    // MARK: The same, however it is cut

    @Test func `tiny ranges count and find what one range does`() async throws {
        let database = try await books()
        let (tiny, whole) = (try report(database), try report(database, rangeEntries: .max))
        #expect(tiny.violations == [] && whole.violations == [])
        #expect((tiny.entries, tiny.settledTrades) == (whole.entries, whole.settledTrades))
        #expect((tiny.accounts, tiny.fromBatch, tiny.toBatch) == (whole.accounts, whole.fromBatch, whole.toBatch))
        #expect(try "\(tiny.entries)" == database.value("select count(*) from ledger_entries"))
        #expect(try "\(tiny.toBatch)" == database.value("select max(batch_no) from batches"))
    }

    private static func entry(_ index: Int) -> String {
        """
        (batch_no, place) = (select batch_no, place from ledger_entries order by batch_no, place
                              offset \(index) % (select count(*) from ledger_entries) limit 1)
        """
    }

    private static func balance(_ index: Int) -> String {
        """
        (account_no, asset_no) = (select account_no, asset_no from balances order by account_no, asset_no
                                   offset \(index) % (select count(*) from balances) limit 1)
        """
    }

    /// What somebody may do to the entry, the trade, the operation or the balance of a number.
    private static let damages: [@Sendable (Int) -> String] = [
        { "delete from ledger_entries where \(entry($0))" },
        { "insert into ledger_entries select * from ledger_entries where \(entry($0))" },
        { "update ledger_entries set available_delta = available_delta + 3 where \(entry($0))" },
        { "update ledger_entries set available_after = available_after - 1 where \(entry($0))" },
        { "update ledger_entries set version = version + 1 where \(entry($0))" },
        { "update ledger_entries set version = - version where \(entry($0))" },
        { "update ledger_entries set batch_no = batch_no + 1 where \(entry($0))" },
        { "update ledger_entries set account_no = account_no % 6 + 1 where \(entry($0))" },
        { "update ledger_entries set place = (place + 1) % 2 where \(entry($0))" },
        { "update ledger_entries set cause_id = cause_id || 'x' where \(entry($0))" },
        {
            "update trades set quantity = quantity + 1 where trade_id = (select trade_id from trades "
                + "where status = 'SETTLED' order by trade_id offset \($0) % 60 limit 1)"
        },
        { "update trades set batch_no = batch_no + 1000 where trade_id = 't-\($0 % 60 + 1)'" },
        { "update trades set batch_no = - batch_no where trade_id = 't-\($0 % 60 + 1)'" },
        { "update trades set settled_at = null where trade_id = 't-\($0 % 60 + 1)'" },
        { "delete from trades where trade_id = 't-\($0 % 60 + 1)'" },
        { "delete from operations where key = (select key from operations order by key offset \($0) % 12 limit 1)" },
        { "update balances set available = available + 1 where \(balance($0))" },
        { "update balances set version = version + 1 where \(balance($0))" },
        { "delete from batches where batch_no = \($0 % 10 + 1)" },
        { "update batches set entries = entries + 1 where batch_no = \($0 % 10 + 1)" },
    ]

    @Test func `random damage is found alike by tiny ranges and by one`() async throws {
        let original = try await books(seed: 7)
        for round in 0..<24 {
            let seed = UInt64.random(in: 0 ... .max)
            var generator = SeededGenerator(seed: seed)
            let database = try TestDatabase(copyOf: original)
            // Each kind is done at least once.
            var done = [Self.damages[round % Self.damages.count](Int.random(in: 0..<1_000, using: &generator))]
            for _ in 0..<Int.random(in: 0...2, using: &generator) {
                let another = Self.damages.randomElement(using: &generator)!
                done.append(another(Int.random(in: 0..<1_000, using: &generator)))
            }
            try database.damage(done.joined(separator: ";\n"))
            let whole = subjects(try report(database, rangeEntries: .max))
            for rangeEntries in [1, Self.few, 40] {
                let found = subjects(try report(database, rangeEntries: rangeEntries))
                #expect(found == whole, "seed \(seed), ranges of \(rangeEntries): \(done)")
            }
            #expect(!whole.isEmpty, "seed \(seed): \(done)")
        }
    }

    // MARK: What only ranges could miss

    @Test func `versions that are missing between ranges are named`() async throws {
        let database = try await books()
        try database.damage("delete from ledger_entries where \(Self.ofSomebody) and version in (3, 5, 6)")
        let found = try report(database).violations.filter { $0.subject == "balance of customer acc-2 in USDT" }
        #expect(found.count == 1)
        #expect(found.first?.detail.hasSuffix("; there are none of version 3, 5 to 6") == true, "\(found)")
    }

    @Test func `an entry that was moved to another batch is missed there and too much here`() async throws {
        let database = try await books()
        let batch = try database.value(
            "select batch_no from ledger_entries where \(Self.ofSomebody) and version = 4")
        try database.damage(
            "update ledger_entries set batch_no = batch_no + 3 where \(Self.ofSomebody) and version = 4")
        let found = try report(database).violations
        #expect(found.contains { $0.subject == "batch \(batch)" })
        #expect(found.contains { $0.subject == "batch \(Int(batch)! + 3)" })
        #expect(found.count { $0.subject.hasPrefix("trade BTC/USDT:") } == 2)
    }

    @Test(arguments: ["1000000", "9223372036854775807", "0", "-1", "-9223372036854775808"])
    func `a settled trade in a batch that was never there is found`(number: String) async throws {
        let database = try await books()
        try database.damage("update trades set batch_no = \(number) where trade_id = 't-1'")
        let found = try report(database).violations.filter { $0.invariant == 3 }
        #expect(found.allSatisfy { $0.subject == "trade BTC/USDT:t-1" })
        #expect(found.contains { $0.detail.hasPrefix("batch \(number), ") && $0.detail.hasSuffix(", the ledger 0") })
    }

    @Test func `a settled trade in no batch is found where the table allows it`() async throws {
        let database = try await books()
        try database.damage(
            """
            do $$ declare c record; begin
                for c in select conrelid::regclass as name, conname from pg_constraint
                          where contype = 'c' and pg_get_constraintdef(oid) like '%batch_no IS NOT NULL%'
                            and conparentid = 0 and coninhcount = 0
                loop execute format('alter table %s drop constraint %I', c.name, c.conname); end loop;
            end $$;
            update trades set batch_no = null where trade_id = 't-1'
            """)
        #expect(subjects(try report(database)).contains("4: trade BTC/USDT:t-1"))
    }

    @Test func `while the table has its check, nobody looks for settled trades in no batch`() async throws {
        let database = try await books(trades: 5)
        let check = try #require(
            Verification.standingChecks(.kept, .now).first { $0.statement.name == "verify_4_batchless" })
        let plan = try database.value(
            "select string_agg(line, ' ') from explained($q$\(check.statement.sql.replacing("$1", with: "1"))$q$) line",
            after: """
                create function explained(q text) returns setof text language plpgsql as
                    $$ begin return query execute 'explain ' || q; end $$
                """)
        #expect(plan.contains("One-Time Filter: false"), "\(plan)")
    }

    /// In sum such a trade changes nothing.
    @Test(arguments: [
        "update trades set quantity = quantity + 1", "update trades set batch_no = batch_no + 1", "delete from trades",
    ])
    func `a trade with oneself is verified leg by leg`(change: String) async throws {
        let database = try await books(trades: 5)
        let trade = Trade(
            id: Identifier("self")!, market: MarketSymbol("BTC/USDT")!, price: DecimalNumber("100")!,
            quantity: DecimalNumber("1")!, buyer: Identifier("acc-3")!, seller: Identifier("acc-3")!)
        let outcomes = try await database.wallet().settle([SettlementItem(.trade(trade), origin: .message("test"))])
        #expect(outcomes == [.settled])
        #expect(try report(database).violations == [])
        try database.damage("\(change) where trade_id = 'self'")
        #expect(subjects(try report(database)) == ["3: trade BTC/USDT:self"])
    }

    // MARK: While settlement goes on

    @Test func `a batch that commits behind later ones is waited for`() async throws {
        // Given: a batch that has its number, and a row that it keeps from others.
        let database = try await books()
        let slow = try database.connect()
        try slow.script("begin; select nextval('batch_numbers')")
        let number = try database.value("select last_value from batch_numbers")
        let wallet = database.wallet()
        for trade in TradeLoad(20, accounts: 6, seed: 3, prefix: "later").trades {
            _ = try await wallet.settle([SettlementItem(.trade(trade), origin: .message("test"))])
        }
        // When
        async let verifying = onThreadOfItsOwn { try self.report(database, actor: "test") }
        try await eventually("the run waits for the batch") {
            try database.count("pg_stat_activity where query like '%pg_locks%' and datname = current_database()") > 1
        }
        try slow.script(
            """
            insert into batches (batch_no, trades, operations, rejected, entries) values (\(number), 0, 0, 0, 1);
            insert into ledger_entries
            select \(number), account_no, version + 1, 0, asset_no, null, 'deposit', 'late', 0, 0, available, 0
              from balances where account_no = (select account_no from accounts where id = 'acc-6') limit 1;
            update balances b set version = e.version from ledger_entries e
             where e.batch_no = \(number) and (b.account_no, b.asset_no) = (e.account_no, e.asset_no);
            insert into operations (key, kind, account_no, asset_no, amount, batch_no)
            select 'late', 'deposit', account_no, asset_no, 1, batch_no from ledger_entries where batch_no = \(number);
            commit
            """)
        // Then: it is seen, in its place; what it says of itself is wrong.
        let report = try await verifying
        #expect(subjects(report) == ["3: operation late"])
    }

    @Test func `a later batch that is seen before an earlier one is no false alarm`() async throws {
        // Given: a range that ends between two batches of a balance which were committed the other way round.
        let database = try TestDatabase()
        try database.addMarket()
        let wallet = database.wallet()
        _ = try await wallet.settle([operation("d1", .deposit, "alice", "1", "USDT")])
        _ = try await wallet.settle([operation("d2", .deposit, "alice", "1", "USDT")])
        _ = try await wallet.settle([operation("d3", .deposit, "alice", "1", "USDT")])
        try database.damage(
            """
            create function swapped(bigint) returns bigint language sql immutable as
                $$ select case $1 when 2 then 3 when 3 then 2 else $1 end $$;
            update ledger_entries set batch_no = swapped(batch_no);
            update operations set batch_no = swapped(batch_no)
            """)
        #expect(
            try database.value(
                "select string_agg(version::text, ' ' order by batch_no) from ledger_entries where cause_id <> 'x' "
                    + "and account_no = (select account_no from accounts where id = 'alice')") == "1 3 2")
        // Then
        #expect(try report(database, rangeEntries: 1, actor: "test").violations == [])
        #expect(try database.count("verified_balances") == 2)
        #expect(try report(database, .since).violations == [])
    }

    @Test func `books that several are settling in are right at every moment`() async throws {
        let database = try TestDatabase()
        let load = TradeLoad(900, accounts: 20, seed: 11)
        try await load.prepare(database)
        let isOver = Guarded(false)
        async let runs = onThreadOfItsOwn {
            var runs = 0
            var steady = SteadyVerification(actor: "worker 1", stepEntries: 200)
            let connection = try database.connect()
            while !isOver.withLock({ $0 }) || runs < 3 {
                #expect(try self.report(database, rangeEntries: 300, actor: "test").violations == [])
                #expect(try self.report(database, rangeEntries: 300, .since, actor: "test").violations == [])
                if let step = try steady.step(on: connection) { #expect(step.report.violations == []) }
                runs += 1
            }
            return runs
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for part in 0..<3 {
                group.addTask {
                    let wallet = database.wallet()
                    var rest = load.trades[(part * 300)..<(part * 300 + 300)]
                    while !rest.isEmpty {
                        let batch = rest.prefix(5)
                        rest = rest.dropFirst(5)
                        let outcomes = try await wallet.settle(
                            batch.map { SettlementItem(.trade($0), origin: .message("test")) })
                        #expect(outcomes.allSatisfy { $0 == .settled })
                    }
                }
            }
            try await group.waitForAll()
        }
        isOver.withLock { $0 = true }
        #expect(try await runs >= 3)
        #expect(try load.wrongBalances(in: database) == [])
        #expect(try database.violations() == [])
    }
}

/// Runs what waits for others where it keeps nobody else from running.
func onThreadOfItsOwn<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
        Thread.detachNewThread { continuation.resume(with: Result { try body() }) }
    }
}

extension TestDatabase {
    /// The first column of the first row, as text, of what needs something made first.
    fileprivate func value(_ sql: String, after preparation: String) throws -> String {
        try execute(preparation)
        return try value(sql)
    }
}
