import ServiceKit
import SettleTesting
import Testing
import TradeModel
import WalletClient

@testable import Repository

/// The indexes that are built beside the work.
@Suite struct ReadingIndexTests {
    private let database: TestDatabase
    private let connection: PostgresConnection

    init() async throws {
        database = try TestDatabase()
        let load = TradeLoad(60, seed: 4)
        try await load.prepare(database)
        try load.store(load.trades, in: database)
        // What is indexed ends before the newest batch, which may be under way.
        try database.execute("select nextval('batch_numbers')")
        connection = try database.connect()
        try connection.liftStatementTimeout()
    }

    private func advanceToTheEnd() throws -> [String] {
        var done: [String] = []
        while let statement = try ReadingIndexStore.advance(on: connection) { done.append(statement) }
        return done
    }

    private func work() throws -> String {
        try database.value("select count(*) from reading_index_work()")
    }

    @Test func `what is missing is built once, and a range gets its index by account when it is left`() throws {
        let first = try advanceToTheEnd()
        #expect(first.count { $0.contains("batches_by_time") } == 1)
        #expect(first.count { $0.contains("trades_1_by_arrival") } == 1)
        #expect(first.count { $0.contains("trades_1_failed") } == 1)
        #expect(!first.contains { $0.contains("_by_account") })
        #expect(try advanceToTheEnd() == [])

        try database.execute("select setval('batch_numbers', (1 << 20) + 1)")
        let sealed = try advanceToTheEnd()
        #expect(sealed.count == 1)
        #expect(sealed.allSatisfy { $0.hasPrefix("create index ledger_entries_0_by_account") })
        let workers = Statement("workers", "select current_setting('max_parallel_maintenance_workers')")
        #expect(try connection.query(workers).string(0, 0) == "0")
        #expect(
            try database.value(
                "select string_agg(first_batch || '-' || next_batch || is_indexed, ' ' order by first_batch) from ledger_segments()"
            )
                == "0-1048576true 1048576-2097152false")
        #expect(try database.violations() == [])
    }

    @Test func `each range of the ledger is found by batch, those from before it was so, too`() throws {
        let missing = """
            select string_agg(r.range_no::text, ' ' order by r.range_no) from ledger_ranges() r
             where not exists (select from pg_index x where x.indrelid = r.relation and x.indisvalid
                                  and x.indexrelid = to_regclass(format('ledger_entries_%s_by_batch', r.range_no)))
            """
        // New ones have the index from the start.
        try database.execute("select setval('batch_numbers', (1 << 20) * 2 + 1); select maintain_ledger_ranges()")
        #expect(
            try database.value("select string_agg(range_no::text, ' ' order by range_no) from ledger_ranges()")
                == "0 1 2 3")
        #expect(try database.value(missing) == "")
        // One that held entries when that came gets it beside the work, and the newest first.
        try database.execute("drop index ledger_entries_0_by_batch, ledger_entries_1_by_batch")
        let done = try advanceToTheEnd()
        #expect(
            done.prefix(2).map { $0.split(separator: " ")[3] }
                == ["ledger_entries_1_by_batch", "ledger_entries_0_by_batch"])
        #expect(try database.value(missing) == "")
        #expect(try database.violations() == [])
    }

    @Test func `nobody but workers and vacuums is asked for summaries`() throws {
        _ = try advanceToTheEnd()
        let summaries = "select count(*) from pg_class c join pg_am a on a.oid = c.relam where a.amname = 'brin'"
        #expect(try database.value(summaries) == "5")
        #expect(try database.value(summaries + " and reloptions::text like '%autosummarize%'") == "0")
    }

    @Test func `of an account's entries in the range in use, only the pages are read that may have some`() throws {
        // Given: an account with entries at one end of many.
        try database.damage(
            """
            insert into ledger_entries
            select 9, case when n < 3 then 7 else 1000 + n % 500 end, n, n, 1, null, 'deposit', 'x', 1, 0, n, 0
              from generate_series(1, 20000) n
            """)
        var summaries = Summaries()
        try summaries.bringLedgerUp(on: connection)
        // When
        try connection.script(LedgerStore.readingSettings)
        try connection.script(
            "prepare lines (bigint, bigint, bigint, integer, bigint, bigint) as \(LedgerReader.linesStatement.sql)")
        let rows = try connection.query(
            Statement(
                "lines_plan",
                "explain (analyze, costs off, timing off, summary off) execute lines (9, 10, 7, 1, 1, 50)"))
        // Then: one stretch, and the one at the end that is not summarized yet.
        let plan = rows.indices.map { rows.string($0, 0) }.joined(separator: "\n")
        let blocks = try #require(plan.firstMatch(of: /lossy=([0-9]+)/), "\(plan)")
        #expect(Int(blocks.output.1)! <= 64, "\(plan)")
        #expect(
            Int(try database.value("select pg_relation_size('ledger_entries_0') / 8192"))! > 200)
    }

    private static let byBatch: [(name: String, statement: Statement, types: String, values: String)] = [
        ("a trade's postings", TradeStoryStore.postingsStatement, "bigint, integer, text", "1, 1, 't-1'"),
        (
            "an account's lines", LedgerReader.linesStatement, "bigint, bigint, bigint, integer, bigint, bigint",
            "1, 9, 1, 1, 1, 9"
        ),
        (
            "balances at a time", LedgerReader.scanningStatement, "bigint, bigint, bigint[], timestamptz",
            "1, 9, '{1}', now()"
        ),
        ("exported entries", CommittedBatches.entriesStatement, "bigint[], bigint, bigint", "'{1,2}', 1, 2"),
        ("exported trades", CommittedBatches.tradesStatement, "bigint[], bigint, bigint", "'{1,2}', 1, 2"),
    ]

    @Test(arguments: [false, true])
    func `who reads the ledger by batch goes by its summary, with statistics and without`(isAnalyzed: Bool) throws {
        if isAnalyzed { try database.execute("analyze") }
        try connection.script(LedgerStore.readingSettings)
        for (number, reading) in Self.byBatch.enumerated() {
            try connection.script("prepare p\(number) (\(reading.types)) as \(reading.statement.sql)")
            let rows = try connection.query(
                Statement("of_p\(number)", "explain (costs off) execute p\(number) (\(reading.values))"))
            let plan = rows.indices.map { rows.string($0, 0) }.joined(separator: "\n")
            #expect(plan.contains("Bitmap Index Scan on ledger_entries_0_by_batch"), "\(reading.name): \(plan)")
            #expect(!plan.contains("ledger_entries_1"), "\(reading.name): \(plan)")
            #expect(!plan.contains("Seq Scan"), "\(reading.name): \(plan)")
        }
    }

    @Test func `of several processes one builds, and the others do not wait`() throws {
        let other = try database.connect()
        try other.script("select pg_advisory_lock(\(AdvisoryLock.readingIndexes), 1)")
        #expect(try ReadingIndexStore.advance(on: connection) == nil)
        #expect(try work() != "0")
        try other.script("select pg_advisory_unlock(\(AdvisoryLock.readingIndexes), 1)")
        #expect(try ReadingIndexStore.advance(on: connection) != nil)
    }

    private static func settleAndInterrupt(_ database: TestDatabase, _ interrupter: StatementInterrupter) async throws {
        let building = Statement(
            "building",
            """
            select exists (select from pg_stat_activity where datname = current_database()
              and query like 'create index concurrently batches_by_time%' and wait_event_type = 'Lock')
            """)
        let waiting = try database.connect()
        try await eventually("a build waits for the transaction") { try waiting.query(building).bool(0, 0) }
        let deposit = SettlementItem(
            .operation(
                Operation(
                    key: Identifier("meanwhile")!, kind: .deposit, account: Identifier("acc-1")!,
                    asset: AssetSymbol("BTC")!, amount: DecimalNumber("1")!)), origin: .message("test"))
        #expect(try await database.wallet().settle([deposit]) == [.settled])
        interrupter.interrupt()
    }

    @Test func `a build that was interrupted is taken away and done again, and settling goes on meanwhile`()
        async throws
    {
        let blocker = try database.connect()
        try blocker.script("begin; lock table batches in row exclusive mode")
        let (database, interrupter) = (database, connection.interrupter())
        async let interruption: Void = Self.settleAndInterrupt(database, interrupter)
        let error = #expect(throws: DatabaseError.self) { try ReadingIndexStore.advance(on: connection) }
        #expect(error?.sqlState == DatabaseError.queryCanceled)
        try await interruption
        try blocker.script("rollback")
        #expect(
            try database.value("select indisvalid from pg_index where indexrelid = 'batches_by_time'::regclass")
                == "false")

        let done = try advanceToTheEnd()
        #expect(done.first == "drop index concurrently if exists batches_by_time")
        #expect(
            try database.value("select indisvalid from pg_index where indexrelid = 'batches_by_time'::regclass")
                == "true")
        #expect(try work() == "0")
        #expect(try database.violations() == [])
    }
}
