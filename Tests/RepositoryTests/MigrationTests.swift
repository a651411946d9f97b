import Foundation
import SettleTesting
import Testing
import WalletClient

@testable import Repository

/// Trap 35: nothing makes tables but the migrations.
@Suite struct MigrationTests {
    private let database: TestDatabase

    init() throws {
        database = try TestDatabase()
    }

    private func migrator(_ files: MigrationFiles? = nil) throws -> Migrator {
        Migrator(try database.connect(), try files ?? MigrationFiles(directory: migrationsDirectory))
    }

    private func objects() throws -> String {
        try database.value(
            """
            select (select count(*) from pg_class where relnamespace = 'public'::regnamespace)
                 + (select count(*) from pg_proc where pronamespace = 'public'::regnamespace)
                 + (select count(*) from pg_type where typnamespace = 'public'::regnamespace)
            """)
    }

    /// A copy of the project's migrations with one more.
    private func files(adding up: String, editing edited: (String) -> String = { $0 }) throws -> MigrationFiles {
        let directory = FileManager.default.temporaryDirectory.path + "/migrations-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        for name in try FileManager.default.contentsOfDirectory(atPath: migrationsDirectory) {
            let text = try String(contentsOfFile: "\(migrationsDirectory)/\(name)", encoding: .utf8)
            try edited(text).write(toFile: "\(directory)/\(name)", atomically: true, encoding: .utf8)
        }
        let number = try MigrationFiles(directory: directory).migrations.count
        let stem = "\(directory)/\(number < 10 ? "00" : "0")\(number)_more"
        try up.write(toFile: stem + ".up.sql", atomically: true, encoding: .utf8)
        try "drop table more;".write(toFile: stem + ".down.sql", atomically: true, encoding: .utf8)
        return try MigrationFiles(directory: directory)
    }

    @Test func `down leaves nothing behind and up makes all of it again`() throws {
        let before = try objects()
        try database.addMarket()
        #expect(try !migrator().down(to: -1).isEmpty)
        #expect(try objects() == "0")
        #expect(try migrator().applied().isEmpty)
        #expect(try migrator().up().count == migrator().applied().count)
        #expect(try migrator().pending().isEmpty)
        #expect(try objects() == before)
        #expect(try migrator().up().isEmpty)
    }

    @Test func `a ledger with a key goes on without, and back again`() async throws {
        // Given: books from before.
        try database.addMarket()
        let wallet = database.wallet()
        _ = try await wallet.settle([
            operation("d1", .deposit, "alice", "1000", "USDT"), operation("d2", .deposit, "bob", "2", "BTC"),
            trade("t1", quantity: "0.5"),
        ])
        try migrator().down(to: 4)
        let twice = "begin; insert into ledger_entries select * from ledger_entries"
        #expect(throws: DatabaseError.self) { try database.execute(twice) }
        // When
        try migrator().up()
        // Then: an index is built where there are entries, and is there where there are none.
        #expect(
            try database.value(
                """
                select string_agg(split_part(statement, ' ', 4), ' ') from reading_index_work()
                 where statement like '%ledger_entries%by_batch%'
                """) == "ledger_entries_0_by_batch")
        #expect(try database.value("select count(*) from balances where room is not null") == "0")
        let (later, connection) = (database.wallet(), try database.connect())
        #expect(try await later.settle([trade("t2", quantity: "0.5")]) == [.settled])
        try connection.liftStatementTimeout()
        while try ReadingIndexStore.advance(on: connection) != nil {}
        #expect(try database.value("select to_regclass('ledger_entries_0_by_batch') is not null") == "true")
        #expect(try database.violations() == [])
    }

    @Test func `indexes of stretches of the ledger go, and an account is found without`() async throws {
        // Given: books from before, with an index on a part of the range in use.
        try database.addMarket()
        let wallet = database.wallet()
        _ = try await wallet.settle([operation("d1", .deposit, "alice", "1000", "USDT")])
        _ = try await wallet.settle([operation("d2", .deposit, "alice", "2000", "USDT")])
        try migrator().down(to: 14)
        try database.execute(
            """
            create index ledger_entries_0_batches_0_2 on ledger_entries_0 (account_no, asset_no, version)
             where batch_no >= 0 and batch_no < 2;
            drop index ledger_entries_0_by_batch, ledger_entries_1_by_batch;
            create index ledger_entries_0_by_batch on ledger_entries_0 using brin (batch_no) with (autosummarize = on);
            create index ledger_entries_1_by_batch on ledger_entries_1 using brin (batch_no)
            """)
        #expect(
            try database.value("select string_agg(is_indexed::text, ' ' order by first_batch) from ledger_segments()")
                == "true false false")
        // When
        try migrator().up()
        // Then
        let connection = try database.connect()
        #expect(try database.value("select count(*) from pg_class where relname like '%\\_batches\\_%\\_%'") == "0")
        #expect(
            try database.value("select string_agg(is_indexed::text, ' ' order by first_batch) from ledger_segments()")
                == "false false")
        #expect(
            try database.value(
                "select string_agg(relname || ' ' || indnatts, ', ' order by relname) from pg_index "
                    + "join pg_class on oid = indexrelid where relname like 'ledger_entries%by_batch'")
                == "ledger_entries_0_by_batch 1, ledger_entries_1_by_batch 2")
        #expect(
            try database.value("select count(*) from pg_class where reloptions::text like '%autosummarize%'") == "0")
        let (key, moment) = try #require(
            BalanceStore.current(
                of: [AccountNumber(database.value("select account_no from accounts where id = 'alice'"))!],
                asset: nil, connection
            ).first)
        let lines = try LedgerReader.read(connection) { reader throws(DatabaseError) in
            try reader.lines(of: key, versions: 1...2, newest: moment.version)
        }
        #expect(lines.map(\.cause.text) == ["d1", "d2"])
        #expect(try database.violations() == [])
    }

    @Test func `letters from before their facts keep what they say, and so do those that go back`() throws {
        try migrator().down(to: 1)
        try database.execute(
            """
            insert into dead_letters (fingerprint, class, message, attempts, stored, source, payload)
            values ('a', 'undecodable', 'no trade', 1, false, 'test', 'x');
            insert into dead_letter_attempts (letter_no, number, action, actor, class, message)
            values (1, 1, 'parked', 'eve', 'undecodable', 'no trade')
            """)
        try migrator().up()
        #expect(
            try database.value("select received_seq || ' ' || version || ' ' || auto_retries from dead_letters")
                == "0 1 0")
        try database.execute(
            """
            insert into dead_letter_attempts (letter_no, number, action, actor, message)
            values (1, 2, 'tried', 'eve', ''), (1, 3, 'refused', 'eve', 'still no trade'), (1, 4, 'edited', 'eve', '');
            insert into dead_letter_versions (letter_no, version, payload, actor, reason) values (1, 2, 'y', 'eve', '')
            """)
        try migrator().down(to: 1)
        #expect(
            try database.value(
                "select string_agg(concat_ws(' ', number, action, message), ', ' order by number) from dead_letter_attempts"
            )
                == "1 parked no trade, 3 parked still no trade")
        try migrator().up()
        #expect(try database.value("select message from dead_letters") == "no trade")
        #expect(try database.violations() == [])
    }

    @Test func `reversals go down only while there are none, and come up again`() throws {
        try migrator().down(to: 9)
        try migrator().up()
        try database.execute(
            """
            insert into reversals (market, trade_id, batch_no, actor, reason) values ('BTC/USDT', 't1', 1, 'eve', 'a slip')
            """)
        #expect {
            try migrator().down(to: 9)
        } throws: {
            "\($0)".contains("trades were reversed")
        }
        #expect(try database.value("select count(*) from reversals") == "1")
    }

    @Test func `two starters at once apply each migration once`() async throws {
        try migrator().down(to: -1)
        let counts = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<2 { group.addTask { try migrator().up().count } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(try counts.sorted() == [0, migrator().applied().count])
    }

    @Test func `an edited migration and one from a newer program are refused`() throws {
        let edited = try files(adding: "create table more ();") { $0 + "-- edited" }
        #expect {
            try migrator(edited).up()
        } throws: {
            "\($0)".contains("was edited after it was applied")
        }
        try migrator(files(adding: "create table more ();")).up()
        #expect {
            try migrator().up()
        } throws: {
            "\($0)".contains("which this program does not know")
        }
    }

    @Test func `a migration that fails leaves nothing of itself, and those before it stay`() throws {
        let before = try objects()
        let failing = try migrator(files(adding: "create table more (); select 1 / 0;"))
        #expect {
            try failing.up()
        } throws: {
            "\($0)".contains("(more) failed: division by zero")
        }
        #expect(try objects() == before)
        #expect(try failing.pending().map(\.name) == ["more"])
    }
}
