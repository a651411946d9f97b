import SettleTesting
import Testing

@testable import Repository

/// What is appended is summarized, so that readers find it.
@Suite struct SummaryTests {
    private let database: TestDatabase
    private let connection: PostgresConnection

    init() throws {
        database = try TestDatabase()
        connection = try database.connect()
    }

    /// Appends to a range several stretches of pages, of which the last is not full.
    private func append(to range: Int) throws {
        try database.damage(
            """
            insert into ledger_entries
            select \(range)::bigint << 20, 1, n, n, 1, null, 'deposit', 'x', 1, 0, n, 0 from generate_series(1, 10000) n
            """)
    }

    /// How many stretches of a range had no summary; now they have.
    private func missing(in range: Int) throws -> Int {
        Int(try database.value("select brin_summarize_new_values('ledger_entries_\(range)_by_batch')"))!
    }

    @Test func `what was appended since the last look is summarized, but for a stretch that grows`() throws {
        var summaries = Summaries()
        try summaries.bringLedgerUp(on: connection)
        for _ in 0..<2 {
            try append(to: 0)
            try summaries.bringLedgerUp(on: connection)
            #expect(try missing(in: 0) <= 1)
        }
        try append(to: 0)
        #expect(try missing(in: 0) > 2)
    }

    @Test(arguments: [false, true])
    func `a range that was left gets what it lacks, also by a process that has not seen it`(hasSeen: Bool) throws {
        var summaries = Summaries()
        if hasSeen { try summaries.bringLedgerUp(on: connection) }
        try append(to: 0)
        try append(to: 1)
        try database.execute("select setval('batch_numbers', (1 << 20) + 5)")
        try summaries.bringLedgerUp(on: connection)
        #expect(try missing(in: 0) <= 1)
        #expect(try missing(in: 1) <= 1)
    }

    @Test(arguments: ["share update exclusive", "share"])
    func `where a vacuum or the building of an index is at it, that is done later`(mode: String) throws {
        try append(to: 0)
        let other = try database.connect()
        try other.script("begin; lock table ledger_entries_0 in \(mode) mode")
        var summaries = Summaries()
        try summaries.bringLedgerUp(on: connection)
        // As when its index is built as soon as it was left.
        try database.execute("select setval('batch_numbers', (1 << 20) + 5)")
        try summaries.bringLedgerUp(on: connection)
        try other.script("rollback")
        try summaries.bringLedgerUp(on: connection)
        #expect(try missing(in: 0) <= 1)
    }

    @Test func `so it is with the newest trades`() throws {
        try database.addMarket()
        var done = 0
        while try ReadingIndexStore.advance(on: connection) != nil { done += 1 }
        #expect(done > 0)
        try database.execute(
            """
            insert into accounts (id) values ('c1'), ('c2');
            insert into trades (market, trade_id, price, quantity, buyer_id, seller_id)
            select 'BTC/USDT', n::text, 1, 1, 'c1', 'c2' from generate_series(1, 10000) n
            """)
        try Summaries.bringTradesUp(on: connection)
        #expect(
            try database.value("select brin_summarize_new_values('trades_1_by_arrival')") == "0")
    }
}
