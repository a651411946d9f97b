import Repository
import ServiceKit
import SettleTesting
import Testing
import TradeModel

@testable import WalletClient

/// What the database does to a batch, and what the wallet makes of it. Traps 23, 25 and 26.
@Suite struct LostAnswerTests {
    private let database: TestDatabase

    init() throws {
        database = try TestDatabase()
        try database.addMarket()
    }

    private func fund(_ wallet: Wallet) async throws {
        _ = try await wallet.settle([deposit("d1", "alice", "100", "USDT"), deposit("d2", "bob", "10", "BTC")])
    }

    @Test(arguments: CutProxy.Cut.allCases)
    func `a commit whose answer was lost settles once all the same`(cut: CutProxy.Cut) async throws {
        let proxy = try CutProxy(to: database)
        defer { proxy.stop() }
        var configuration = database.walletConfiguration()
        configuration.connectionString = proxy.connectionString(database)
        let wallet = Wallet(configuration)
        try await fund(wallet)
        let row = try database.pending(trade("t2", price: "10", quantity: "1", buyer: "alice", seller: "bob"))[0]
        let batch = [
            trade("t1", price: "60", quantity: "1", buyer: "alice", seller: "bob"), row,
            trade("t1", price: "60", quantity: "1", buyer: "alice", seller: "bob"),
            trade("t1", price: "61", quantity: "1", buyer: "alice", seller: "bob"),
            operation(.withdrawal, "w1", "alice", "30", "USDT"),
            trade("t3", price: "60", quantity: "1", buyer: "alice", seller: "bob"),
            operation(.withdrawal, "w1", "alice", "30", "USDT"),
        ]
        proxy.cutNext(cut)
        let lost = try await failure { try await wallet.settle(batch) }?.lostBatch
        #expect(try database.value("select last_value from batch_numbers") == lost.map(String.init))
        #expect(
            try database.value("select max(batch_no) from trades where status = 'SETTLED'")
                == (cut == .afterCommit ? lost.map(String.init) : ""))
        #expect(
            try database.value("select count(*) from trades where status = 'SETTLED'")
                == (cut == .afterCommit ? "2" : "0"))
        let outcomes = try await wallet.settle(batch, resolving: lost)
        #expect(outcomes[0] == .settled && outcomes[1] == .settled && outcomes[4] == .settled, "\(outcomes)")
        #expect(outcomes[2] == .duplicate && outcomes[6] == .duplicate, "\(outcomes)")
        #expect(outcomes[3].failureClass == .conflict, "\(outcomes)")
        #expect(outcomes[5].failureClass != nil, "\(outcomes)")
        #expect(try database.available("alice", "USDT") == "0.000000")
        #expect(try database.value("select count(*) from dead_letters") == "2")
        #expect(try database.violations() == [])
    }

    @Test func `a commit that fails is found out under the number of its batch`() async throws {
        let wallet = database.wallet()
        try await fund(wallet)
        try database.execute(
            """
            create function refuse() returns trigger language plpgsql as
            $$ begin raise 'busy' using errcode = 'lock_not_available'; end $$;
            create constraint trigger refused after insert on batches deferrable initially deferred
            for each row execute function refuse()
            """)
        let batch = [trade("t1", price: "60", quantity: "1", buyer: "alice", seller: "bob")]
        let lost = try await failure { try await wallet.settle(batch) }?.lostBatch
        #expect(try database.value("select last_value from batch_numbers") == lost.map(String.init))
        #expect(try database.value("select count(*) from trades") == "0")
        try database.execute("drop trigger refused on batches")
        #expect(try await wallet.settle(batch, resolving: lost) == [.settled])
        #expect(try database.violations() == [])
    }

    @Test func `a server that ends the connection in the middle is unavailable, and the next try settles`() async throws
    {
        let wallet = database.wallet()
        try await fund(wallet)
        let holder = try database.holding("alice", "USDT")
        let batch = [trade("t1", price: "60", quantity: "1", buyer: "alice", seller: "bob")]
        async let outcomes = wallet.settle(batch)
        try await database.untilWaitingForLocks(1)
        try database.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity "
                + "where datname = current_database() and wait_event_type = 'Lock'")
        do {
            Issue.record("\(try await outcomes)")
        } catch let error as WalletError {
            #expect(error.kind == "unavailable")
        }
        try holder.commit()
        #expect(try await wallet.settle(batch) == [.settled])
        #expect(try database.violations() == [])
    }

    @Test(arguments: [("lock", "55P03"), ("statement", "57014")])
    func `a timeout writes nothing and asks to be tried again`(kind: String, sqlState: String) async throws {
        var limits = TestDatabase.patientLimits
        if kind == "lock" { limits.lockTimeoutMilliseconds = 50 } else { limits.statementTimeoutMilliseconds = 300 }
        let wallet = database.wallet(limits)
        try await fund(wallet)
        let holder = try database.holding("alice", "USDT")
        let batch = [trade("t1", price: "60", quantity: "1", buyer: "alice", seller: "bob")]
        let error = try await failure { try await wallet.settle(batch) }
        #expect(error?.kind == "retry" && error?.fault?.sqlState == sqlState)
        try holder.commit()
        #expect(try database.value("select count(*) from trades") == "0")
        #expect(try await wallet.settle(batch) == [.settled])
        #expect(try database.violations() == [])
    }

    @Test func `a missing table is nobody's trade's fault`() async throws {
        let wallet = database.wallet()
        try await fund(wallet)
        try database.execute("alter table dead_letters rename to away")
        let batch = [trade("t1", price: "600", quantity: "1", buyer: "alice", seller: "bob")]
        let error = try await failure { try await wallet.settle(batch) }
        #expect(error?.kind == "unavailable" && error?.fault?.sqlState == "42P01")
        try database.execute("alter table away rename to dead_letters")
        #expect(try await wallet.settle(batch)[0].failureClass == .insufficientFunds)
        #expect(try database.violations() == [])
    }

    @Test func `an item that the database refuses is to blame when it is alone, and can be parked`() async throws {
        let wallet = database.wallet()
        try await fund(wallet)
        try database.execute("alter table trades add check (trade_id <> 'poison')")
        let item = trade("poison", price: "60", quantity: "1", buyer: "alice", seller: "bob")
        let error = try await failure { try await wallet.settle([item]) }
        #expect(error?.kind == "reject" && error?.fault?.sqlState == "23514")
        let rejection = Rejection(.retriesExhausted, "refused by the database")
        let tries = (1...3).map {
            FailedAttempt(at: Timestamp(microseconds: Int64($0)), sqlState: "23514", message: "refused \($0)")
        }
        #expect(try await wallet.park(item, because: rejection, after: tries) == .rejected(rejection))
        #expect(
            try database.value("select class || ' ' || attempts || ' ' || stored from dead_letters")
                == "retries_exhausted 3 false")
        // Each try is in the history, with its time and in what words the database refused.
        #expect(
            try database.value(
                """
                select string_agg(concat_ws(' ', action, extract(epoch from at)::int8 < 1, sqlstate, class, message), ', '
                                  order by number) from dead_letter_attempts
                """)
                == "tried t 23514 refused 1, tried t 23514 refused 2, tried t 23514 refused 3, "
                + "parked f retries_exhausted refused by the database")
        #expect(try database.violations() == [])
    }

    @Test(arguments: [
        ("40001", "retry"), ("40P01", "retry"), ("55P03", "retry"), ("57014", "retry"), ("57P01", "unavailable"),
        ("57P03", "unavailable"), ("25P03", "unavailable"), ("53300", "unavailable"), ("25006", "unavailable"),
        ("08006", "unavailable"), ("42501", "unavailable"), ("58030", "unavailable"), ("22003", "reject"),
        ("23514", "reject"), ("P0001", "reject"), ("40003", "retry"), ("0A000", "unavailable"),
        ("26000", "unavailable"), ("3F000", "unavailable"),
    ])
    func `an SQLSTATE says what to do next`(sqlState: String, expected: String) {
        #expect(WalletError(DatabaseError(sqlState: sqlState, message: "")).kind == expected)
    }

    @Test func `the number of round trips does not depend on the batch`() async throws {
        let proxy = try CutProxy(to: database)
        defer { proxy.stop() }
        var configuration = database.walletConfiguration()
        configuration.connectionString = proxy.connectionString(database)
        let wallet = Wallet(configuration)
        _ = try await wallet.settle([deposit("d1", "alice", "100000", "USDT"), deposit("d2", "bob", "1000", "BTC")])
        func roundTrips(_ count: Int, _ prefix: String) async throws -> Int {
            let before = proxy.synchronizations
            let outcomes = try await wallet.settle(
                (0..<count).map { trade("\(prefix)\($0)", price: "1", quantity: "1", buyer: "alice", seller: "bob") })
            #expect(outcomes.allSatisfy { $0 == .settled })
            return proxy.synchronizations - before
        }
        _ = try await roundTrips(1, "warm")
        #expect(try await roundTrips(1, "a") == 2)
        #expect(try await roundTrips(500, "b") == 2)
        #expect(try database.violations() == [])
    }
}
