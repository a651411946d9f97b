import Repository
import ServiceKit
import SettleTesting
import Testing

@testable import SettlementWorkers

/// What is looked at, and when, beside the settling.
@Suite struct BesideWorkTests {
    @Test func `it looks at everything from time to time, and at once when the ledger has left a range`() async throws {
        // Given: everything is there.
        let database = try TestDatabase()
        let keeper = BesideWork(
            "indexes", database.connectionString, limits: TestDatabase.patientLimits, log: Log { _ in },
            duties: [IndexBuilding(interval: .seconds(3_600))])
        func isThere(_ index: String) throws -> Bool {
            try database.value("select to_regclass('\(index)') is not null") == "true"
        }
        #expect(await keeper.work())
        #expect(try isThere("batches_by_time"))

        // When: something is missing.
        try database.execute("drop index batches_by_time")
        // Then: that can wait.
        #expect(await keeper.work())
        #expect(try !isThere("batches_by_time"))

        // When: a range is full.
        try database.execute("select seal_ledger_range(0)")
        // Then
        #expect(await keeper.work())
        #expect(try isThere("batches_by_time"))
        #expect(try isThere("ledger_entries_0_by_account"))

        // When: it was done, and no other is.
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

    @Test func `where nothing settles, what waits to be sealed is sealed without a rest`() async throws {
        // given
        let database = try TestDatabase()
        try database.addMarket()
        for number in 0..<20 { try await deposit([("alice-\(number)", "1", "BTC")], in: database) }
        let keeper = BesideWork(
            "proofs", database.connectionString, limits: TestDatabase.patientLimits, log: Log { _ in },
            duties: [Sealing(interval: .zero, rowsMax: 1)])
        func sealed() throws -> Int { try database.count("ledger_seals") }
        // when: it has seen that nothing settles
        try await eventually("two stretches are sealed") {
            _ = await keeper.work()
            return try sealed() == 2
        }
        let begun = try sealed()
        var rounds = 0
        while await keeper.isBehind, rounds < 100 {
            #expect(await keeper.work())
            rounds += 1
        }
        // then: each time but the last it sealed
        #expect(try sealed() - begun == rounds - 1)
        #expect(
            try database.value(
                "select max(next_batch) > (select last_value from batch_numbers) from ledger_seals") == "true")
        #expect(try database.violations() == [])
    }

    @Test func `the books are verified at each interval, and every process knows what was found`() async throws {
        // Given: two processes, and one that is not to verify.
        let database = try TestDatabase()
        try database.addMarket()
        try await deposit([("alice", "1", "BTC")], in: database)
        let states = (0..<3).map { _ in Guarded<VerificationState?>(nil) }
        let logged = Guarded<[String]>([])
        func audits(_ process: Int, everySeconds interval: Int) -> BesideWork {
            var limits = TestDatabase.patientLimits
            limits.verifyIntervalSeconds = interval
            let verifying = Verifying(LiveLimits(limits), worker: Int64(process), state: states[process])
            return BesideWork(
                "proofs", database.connectionString, limits: limits,
                log: Log { line in logged.withLock { $0.append(line) } }, duties: [verifying])
        }
        func violations(_ process: Int) -> Int64? { states[process].withLock { $0?.violations } }
        let (one, never) = (audits(0, everySeconds: 3_600), audits(2, everySeconds: 0))
        #expect(await one.work())
        #expect(await never.work())
        #expect((violations(0), violations(2)) == (0, nil))

        // When
        try database.execute("update balances set available = available + 1 where version = 1")
        // Then: its time has not come again; another process finds it.
        #expect(await one.work())
        #expect(violations(0) == 0)
        let other = audits(1, everySeconds: 3_600)
        #expect(await other.work())
        #expect(violations(1) ?? 0 > 0)
        #expect(logged.withLock { $0.contains { $0.contains("level=error") && $0.contains("subject=\"asset BTC\"") } })
    }
}
