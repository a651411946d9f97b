import SettleTesting
import Testing
import TradeModel
import WalletClient

@testable import Repository

/// What a run found right, a later one rests on; what a worker verifies step by step is the same.
@Suite struct VerificationStateTests {
    private let database: TestDatabase
    private let wallet: Wallet

    init() async throws {
        database = try TestDatabase()
        try database.addMarket()
        wallet = database.wallet()
        _ = try await wallet.settle([
            operation("d1", .deposit, "alice", "1000", "USDT"), operation("d2", .deposit, "bob", "2", "BTC"),
        ])
        _ = try await wallet.settle([trade("t1", quantity: "0.5")])
    }

    private func run(_ kind: Verification.Kind) throws -> Verification.Report? {
        try Verification.run(Verification.Options(kind, actor: "test"), on: try database.connect())
    }

    private func found(_ kind: Verification.Kind) throws -> [String] {
        try #require(try run(kind)).violations.map { "\($0.invariant): \($0.subject)" }
    }

    private func state() throws -> VerificationState? { try VerificationStore.state(try database.connect()) }

    private static let entryOfAlice = """
        account_no = (select account_no from accounts where id = 'alice')
          and asset_no = (select asset_no from assets where symbol = 'USDT')
        """

    // MARK: Since the last clean run

    @Test func `without a clean run there is nothing to go on from`() throws {
        #expect(try run(.since) == nil)
        try database.damage("update balances set available = available + 1 where \(Self.entryOfAlice)")
        #expect(try !found(.full).isEmpty)
        #expect(try run(.since) == nil)
    }

    @Test func `a later run reads only what came since, and moves on`() async throws {
        let full = try #require(try run(.full))
        #expect((full.kind, full.fromBatch, full.toBatch, full.settledTrades) == (.full, 1, 2, 1))
        #expect(full.reasonNotKept == nil)
        _ = try await wallet.settle([trade("t2", quantity: "0.5")])
        let since = try #require(try run(.since))
        #expect(since.violations == [])
        #expect((since.fromBatch, since.toBatch, since.settledTrades, since.accounts) == (3, 3, 1, 2))
        #expect(try state()?.next == 4)
        #expect(
            try database.value(
                "select string_agg(concat_ws(' ', kind, actor, from_batch, to_batch, trades, violations), ', ' "
                    + "order by run_no) from verification_runs")
                == "full test 1 2 1 0, since test 3 3 1 0")
    }

    @Test func `an old entry that was edited is found by a full run only, an old balance by both`() async throws {
        // Given: what was verified by steps up to here.
        var steady = SteadyVerification(actor: "worker 1")
        #expect(try steady.step(on: try database.connect())?.report.violations == [])
        // When: an entry from before changes.
        try database.damage(
            "update ledger_entries set available_after = available_after + 1 where \(Self.entryOfAlice) and version = 1"
        )
        // Then
        #expect(try found(.since) == [])
        #expect(try found(.full) == ["2: balance of customer alice in USDT", "2: balance of customer alice in USDT"])
        // When: a balance changes that nobody has touched since.
        try database.damage("update balances set frozen = frozen + 1 where \(Self.entryOfAlice)")
        // Then
        #expect(
            try Set(found(.since)) == [
                "1: asset USDT", "2: balance of customer alice in USDT", "6: balance of alice in USDT",
            ])
    }

    @Test func `damage behind the last clean run is found by a later one, which does not move on`() async throws {
        var steady = SteadyVerification(actor: "worker 1")
        #expect(try steady.step(on: try database.connect())?.report.violations == [])
        let verified = try #require(try state()?.next)
        _ = try await wallet.settle([trade("t2", quantity: "0.5")])
        try database.damage("delete from ledger_entries where cause_id = 't2' and place = 0")
        #expect(try !found(.since).isEmpty)
        #expect(try state()?.next == verified)
        #expect(try !found(.since).isEmpty)
    }

    @Test func `whoever may only read verifies everything, and says that it is not kept`() throws {
        try database.execute(
            """
            do $$ begin create role auditor_of_tests login; exception when duplicate_object then null; end $$;
            grant select on all tables in schema public to auditor_of_tests;
            grant select on all sequences in schema public to auditor_of_tests
            """)
        let connection = try database.connect()
        try connection.script("set role auditor_of_tests")
        let report = try #require(try Verification.run(Verification.Options(actor: "auditor"), on: connection))
        #expect(report.violations == [])
        #expect(report.settledTrades == 1)
        #expect(report.reasonNotKept?.hasPrefix("permission denied for ") == true)
        #expect(try state() == nil)
    }

    // MARK: By a worker

    @Test func `a worker goes on step by step, as one run that grows`() async throws {
        let connection = try database.connect()
        var steady = SteadyVerification(actor: "worker 1", stepEntries: 4)
        // The first batch has its four entries.
        let first = try #require(try steady.step(on: connection))
        #expect((first.report.entries, first.isAtEnd, first.isWhole) == (4, false, false))
        #expect(try state()?.next == 2)
        let second = try #require(try steady.step(on: connection))
        #expect((second.report.settledTrades, second.isAtEnd) == (1, true))
        // The tables as they stand were looked at in the first step, and are again when that may cost something.
        try await eventually("all was looked at") {
            let step = try #require(try steady.step(on: connection))
            #expect((step.report.entries, step.isAtEnd) == (0, true))
            return step.isWhole
        }
        #expect(try state()?.next == 3)
        #expect(try database.count("verification_runs") == 1)
        #expect(
            try database.value(
                "select concat_ws(' ', kind, actor, from_batch, to_batch, trades) from verification_runs")
                == "worker worker 1 1 2 1")
        #expect(try database.count("verified_balances") == database.count("balances where version > 0"))
        #expect(try database.violations() == [])
    }

    @Test func `what a worker finds counts until it is mended, and it does not move on over it`() async throws {
        let connection = try database.connect()
        var steady = SteadyVerification(actor: "worker 1")
        try database.damage("update trades set quantity = 0.4 where trade_id = 't1'")
        for _ in 0..<2 {
            let step = try #require(try steady.step(on: connection))
            #expect(Set(step.report.violations.map(\.subject)) == ["trade BTC/USDT:t1"])
            #expect(try state()?.next == nil)
            #expect(try state()?.violations == Int64(step.report.violations.count))
            #expect(try state()?.finding?.hasPrefix("invariant 3: trade BTC/USDT:t1: batch 2, account ") == true)
            #expect(try state()?.foundBy == .worker)
        }
        #expect(try database.count("verified_balances") == 0)
        // When
        try database.damage("update trades set quantity = 0.5 where trade_id = 't1'")
        // Then
        #expect(try steady.step(on: connection)?.report.violations == [])
        #expect(try state()?.violations == 0)
        #expect(try state()?.foundBy == nil)
        #expect(try state()?.next == 3)
    }

    @Test func `a balance that nobody touches is compared with what was verified`() async throws {
        let connection = try database.connect()
        var steady = SteadyVerification(actor: "worker 1")
        #expect(try steady.step(on: connection)?.report.violations == [])
        try database.damage("update balances set version = version + 1 where \(Self.entryOfAlice)")
        var later = SteadyVerification(actor: "worker 2")
        let step = try #require(try later.step(on: connection))
        #expect(step.report.violations.map(\.subject) == ["balance of customer alice in USDT"])
        #expect(try state()?.violations == 1)
    }

    @Test func `a worker that is behind finds a balance that rests, and leaves those that move for later`() async throws
    {
        // given: what is not read yet has moved all balances but one
        let database = try TestDatabase()
        try database.addMarket()
        let wallet = database.wallet()
        _ = try await wallet.settle([operation("d0", .deposit, "resting", "1", "BTC")])
        for number in 1...4 { _ = try await wallet.settle([operation("d\(number)", .deposit, "alice", "1", "BTC")]) }
        try database.execute("update balances set frozen = 1 where version = 1")
        let connection = try database.connect()
        // when
        var steady = SteadyVerification(actor: "worker 1", stepEntries: 4)
        let step = try #require(try steady.step(on: connection))
        // then
        #expect((step.report.entries, step.isAtEnd, step.isWhole) == (4, false, false))
        #expect(
            step.report.violations.map { "\($0.invariant): \($0.subject)" } == [
                "1: asset BTC", "2: balance of customer resting in BTC", "6: balance of resting in BTC",
            ])
        #expect(try VerificationStore.state(connection)?.violations == 3)
        // when: it is mended; that is known when all was looked at
        try database.execute("update balances set frozen = 0 where version = 1")
        for isAtEnd in [false, true] {
            var later = SteadyVerification(actor: "worker 2", stepEntries: 4)
            let step = try #require(try later.step(on: connection))
            #expect(step.report.violations == [])
            #expect((step.isAtEnd, step.isWhole) == (isAtEnd, isAtEnd))
            #expect(try VerificationStore.state(connection)?.violations == (isAtEnd ? 0 : 3))
        }
    }

    @Test func `a run that meets a batch that stays open ends, and no later one rests on it`() async throws {
        let slow = try database.connect()
        try slow.script("begin; select nextval('batch_numbers')")
        var options = Verification.Options(actor: "test")
        options.patience = .milliseconds(10)
        let connection = try database.connect()
        let open = try #require(try Verification.run(options, on: connection))
        #expect(open.violations == [] && open.settledTrades == 1)
        #expect(open.reasonNotKept == "a transaction that has the number of a batch does not end")
        #expect(try state()?.next == nil)
        // what it finds is known all the same
        try database.damage("update balances set version = version + 1 where \(Self.entryOfAlice)")
        #expect(try Verification.run(options, on: connection)?.isClean == false)
        #expect(try state()?.violations == 1)
    }

    @Test func `what a full run has found, a worker does not take back`() async throws {
        let connection = try database.connect()
        var steady = SteadyVerification(actor: "worker 1")
        #expect(try steady.step(on: connection)?.report.violations == [])
        try database.damage(
            "update ledger_entries set available_after = available_after + 1 where \(Self.entryOfAlice) and version = 1"
        )
        #expect(try !found(.full).isEmpty)
        var later = SteadyVerification(actor: "worker 1")
        #expect(try later.step(on: connection)?.isWhole == true)
        #expect(try found(.since) == [])
        #expect(try state()?.violations == 2)
        #expect(try state()?.foundBy == .full)
        // When: it is mended, a full run says so.
        try database.damage(
            "update ledger_entries set available_after = available_after - 1 where \(Self.entryOfAlice) and version = 1"
        )
        #expect(try found(.full) == [])
        #expect(try state()?.violations == 0)
    }

    @Test func `one process at a time verifies`() throws {
        let (one, other) = (try database.connect(), try database.connect())
        try one.script("select pg_advisory_lock(\(AdvisoryLock.verification), 1)")
        var steady = SteadyVerification(actor: "worker 2")
        #expect(try steady.step(on: other) == nil)
        try one.script("select pg_advisory_unlock(\(AdvisoryLock.verification), 1)")
        #expect(try steady.step(on: other) != nil)
        #expect(
            try database.value(
                "select count(*) from pg_locks where locktype = 'advisory' and classid = \(AdvisoryLock.verification) "
                    + "and database = (select oid from pg_database where datname = current_database())") == "0")
    }

    @Test func `a batch that is not decided is left for the next step`() throws {
        let slow = try database.connect()
        try slow.script("begin; select nextval('batch_numbers')")
        var steady = SteadyVerification(actor: "worker 1", patience: .milliseconds(10))
        let connection = try database.connect()
        #expect(try steady.step(on: connection) == nil)
        try slow.script("rollback")
        #expect(try steady.step(on: connection)?.report.violations == [])
    }

    // MARK: The records of an engine

    @Test func `a record that takes effect twice, and a place that its key does not say, are found`() async throws {
        try database.execute("insert into feed_state (stream, watermark, newest) values ('main', 9, 9)")
        #expect(try database.violations() == [])
        try database.damage(
            """
            update operations set stream = 'main', stream_seq = 5;
            update operations set kind = 'reserve', key = 'main:4.0' where key = 'd2';
            """)
        #expect(try found(.full).contains("7: operation main:4.0"))
        try database.damage("update operations set kind = 'deposit', key = 'd2' where key = 'main:4.0'")
        let violations = try #require(try run(.full)).violations.filter { $0.invariant == 7 }
        #expect(violations.map(\.subject) == ["stream main"])
        #expect(violations.map(\.detail) == ["record 5 moves money in or out 2 times: d1, d2"])
    }

    @Test func `a watermark that went back behind skipped records is found, and an open gap is missing`() throws {
        try database.execute(
            """
            insert into feed_state (stream, watermark, newest) values ('main', 9, 9);
            insert into feed_gaps (stream, first_seq, last_seq, skipped_at, actor, reason)
            values ('main', 3, 9, now(), 'eve', 'lost');
            insert into operator_actions (actor, action, subject, reason, detail)
            values ('eve', 'skip', 'feed main', 'lost', '{"first": "3", "last": "9"}');
            insert into feed_gaps (stream, first_seq, last_seq) values ('main', 10, 12)
            """)
        let report = try #require(try run(.full))
        #expect(report.violations == [])
        #expect(report.missing == ["stream main: records 10 to 12, which the feed no longer had"])
        try database.execute("update feed_state set watermark = 8")
        let violations = try #require(try run(.full)).violations
        #expect(violations.map(\.invariant) == [7])
        #expect(violations.map(\.detail) == ["is settled up to record 8, though records 3 to 9 were skipped"])
    }
}
