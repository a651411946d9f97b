import SettleTesting
import Testing
import TradeModel

@testable import Repository

/// A rebuild where the ledger is larger than what is asked for: 100,000 deposits of 1,000 accounts.
@Suite struct RebuildPlanTests {
    private let database: TestDatabase
    private let connection: PostgresConnection

    init() throws {
        database = try TestDatabase()
        try database.addMarket()
        try database.damage(
            """
            insert into accounts (id) select 'acc-' || n from generate_series(0, 999) n;
            insert into accounts (id, kind) values ('0', 'world');
            create temporary table moves as
            select n as move, a.account_no, n / 1000 + 1 as version, n / 100 + 1 as batch_no
              from generate_series(0, 99999) n join accounts a on a.id = 'acc-' || n % 1000;
            insert into operations (key, kind, account_no, asset_no, amount, batch_no)
            select 'in-' || move, 'deposit', account_no, 2, 3, batch_no from moves;
            insert into ledger_entries
            select batch_no, account_no, version, move % 100, 2, null, 'deposit', 'in-' || move, 3, 0, 3 * version, 0
              from moves;
            insert into ledger_entries
            select batch_no, (select account_no from accounts where kind = 'world'), batch_no, 100, 2, null, 'deposit',
                   'in-' || min(move), -300, 0, -300 * batch_no, 0 from moves group by batch_no;
            insert into balances (account_no, asset_no, version, available, lowest)
            select account_no, 2, count(*), sum(available_delta), null from ledger_entries group by account_no;
            insert into batches (batch_no, trades, operations, rejected, entries)
            select batch_no, 0, 100, 0, 101 from moves group by batch_no;
            select setval('batch_numbers', 1 << 20);
            """)
        connection = try database.connect()
        try connection.liftStatementTimeout()
        while try ReadingIndexStore.advance(on: connection) != nil {}
        try connection.script("analyze")
    }

    private func rebuild(_ account: String? = nil) throws -> Rebuild {
        let accounts = try account.map { try AccountStore.named(Identifier($0)!, connection) }
        return try Rebuild(of: accounts, on: connection)
    }

    @Test func `all of it is added up, and one entry that is wrong is found`() throws {
        #expect(try Rebuild.size(connection) == 201_000)
        let clean = try rebuild()
        #expect(clean.differences == [])
        #expect((clean.balances, clean.entries, clean.operations, clean.trades) == (1_001, 101_000, 100_000, 0))

        try database.damage("delete from ledger_entries where cause_id = 'in-41012' and place < 100")
        let found = try rebuild()
        #expect(
            found.differences.map { "\($0.account) \($0.figure) \($0.change)" }
                == ["acc-12 available -0.000003", "acc-12 version -1", "acc-12 moved 0.000003"])
        #expect(found.differenceCount == 3)
    }

    @Test func `the first hundred differences are named, and all counted`() throws {
        try database.damage("update balances set frozen = 5")
        let found = try rebuild()
        #expect(found.differenceCount == 1_001 && found.differences.count == 100)
        #expect(found.differences.allSatisfy { $0.figure == .frozen && $0.standing == "0.000005" })
    }

    @Test func `one account is found by the indexes`() throws {
        let one = try rebuild("acc-12")
        #expect(one.differences == [])
        #expect((one.balances, one.entries, one.operations) == (1, 100, 100))
        try connection.script(
            "prepare of_account (bigint, bigint, bigint[]) as \(Rebuild.entriesOfStatement.sql)")
        let plan = try connection.query(
            Statement("explained", "explain (costs off) execute of_account (0, \(1 << 20), '{12}')"))
        let text = plan.indices.map { plan.string($0, 0) }.joined(separator: "\n")
        #expect(text.contains("ledger_entries_0_by_account"), "\(text)")
        #expect(!text.contains("Seq Scan on ledger"), "\(text)")
    }
}
