import Repository
import ServiceKit
import SettleTesting
import Testing

@testable import SettlementWorkers

/// What is looked at, and when, beside the settling.
@Suite struct BesideWorkTests {
    @Test func `it looks at everything from time to time, and sooner when the ledger has grown`() async throws {
        // Given: everything is there.
        let database = try TestDatabase()
        let keeper = BesideWork(
            "indexes", database.connectionString, limits: TestDatabase.patientLimits, log: Log { _ in },
            duties: [IndexBuilding(interval: .seconds(3_600))])
        func isThere(_ index: String) throws -> Bool {
            try database.value("select to_regclass('\(index)') is not null") == "true"
        }
        func write(entries: Int64) throws {
            try database.execute(
                """
                insert into batches (batch_no, trades, operations, rejected, entries)
                values (nextval('batch_numbers'), 0, 0, 0, \(entries))
                """)
        }
        #expect(await keeper.work())
        #expect(try isThere("batches_by_time"))

        // When: something is missing, and little was written.
        try database.execute("drop index batches_by_time")
        try write(entries: 1_000)
        // Then: that can wait.
        #expect(await keeper.work())
        #expect(try !isThere("batches_by_time"))

        // When: so much was written that a piece may be due.
        try write(entries: ReadingIndexStore.pieceEntriesMax)
        try write(entries: 1)
        // Then
        #expect(await keeper.work())
        #expect(try isThere("batches_by_time"))
        #expect(
            try database.value("select count(*) from ledger_account_indexes() where range_no = 0 and is_valid") == "1")

        // When: it was done, and nothing came.
        try database.execute("drop index batches_by_time")
        // Then
        #expect(await keeper.work())
        #expect(try !isThere("batches_by_time"))
    }

    @Test func `a look that fails is over for a while, and the next one finds the server again`() async throws {
        let database = try TestDatabase()
        let keeper = BesideWork(
            "indexes", database.connectionString, limits: TestDatabase.patientLimits, log: Log { _ in },
            duties: [IndexBuilding(interval: .zero)])
        #expect(await keeper.work())
        try database.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity "
                + "where datname = current_database() and application_name = 'settle indexes'")
        #expect(await !keeper.work())
        #expect(await keeper.work())
    }
}
