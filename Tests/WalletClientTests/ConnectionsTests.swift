import Repository
import ServiceKit
import SettleTesting
import Testing
import TradeModel

@testable import WalletClient

/// What a pool of wallets tells of its connections, and what becomes of one that the server ends.
@Suite struct ConnectionsTests {
    @Test func `a connection shows its server process, and at work the worker that has it`() async throws {
        let database = try TestDatabase()
        try database.addMarket()
        let pool = WalletPool(database.walletConfiguration(), connectionCount: 1)
        #expect(await pool.connections == [WalletPool.Connection(backend: nil, worker: nil)])

        // given a settlement that waits for a lock
        #expect(try await pool.settle([deposit("first")], resolving: nil) == [.settled])
        let lock = try database.connect()
        try lock.script("begin; select from balances for update")
        let settling = Task {
            try await CurrentWorker.$number.withValue(3) { try await pool.settle([deposit("second")], resolving: nil) }
        }
        try await eventually("it waits") {
            try database.value(
                """
                select count(*) from pg_stat_activity
                 where wait_event_type = 'Lock' and datname = current_database()
                """) != "0"
        }

        // then it is seen with its server process
        let connection = await pool.connections[0]
        #expect(connection.worker == 3)
        let backend = try #require(connection.backend)
        #expect(
            try database.value("select application_name from pg_stat_activity where pid = \(backend)")
                == "settle wallet")

        // when the server ends it in the middle of its work
        let killer = try database.connect()
        #expect(try killer.query(BackendStore.terminate(backend, onlyAtWork: true)).count == 1)
        await #expect(throws: WalletError.self) { try await settling.value }
        #expect(await pool.connections == [WalletPool.Connection(backend: nil, worker: nil)])

        // then the next settlement has a new one, and the money moved once
        try lock.script("rollback")
        #expect(try await pool.settle([deposit("second")], resolving: nil) == [.settled])
        let next = try #require(await pool.connections[0].backend)
        #expect(next != backend)
        #expect(try database.available("alice", "USDT") == "2.000000")

        // and between two transactions it is left alone, unless that is meant
        #expect(try killer.query(BackendStore.terminate(next, onlyAtWork: true)).count == 0)
        #expect(try killer.query(BackendStore.terminate(next, onlyAtWork: false)).count == 1)
        await pool.close()
        #expect(try database.violations() == [])
    }

    private func deposit(_ key: String, _ amount: String = "1", to account: String = "alice") -> SettlementItem {
        SettlementItem(
            .operation(
                Operation(
                    key: Identifier(key)!, kind: .deposit, account: Identifier(account)!,
                    asset: AssetSymbol("USDT")!, amount: DecimalNumber(amount)!)), origin: .message("test"))
    }

    @Test func `behind a connection that was lost, no account is taken for the one that it was`() async throws {
        // given accounts that are remembered
        let database = try TestDatabase()
        try database.addMarket()
        let pool = WalletPool(database.walletConfiguration(), connectionCount: 1)
        #expect(
            try await pool.settle(
                [deposit("a"), deposit("b", "2", to: "bob")], resolving: nil) == [.settled, .settled])

        // when the server goes on from a state in which their numbers belong to others
        try swapAliceAndBob(in: database)
        let backend = try #require(await pool.connections[0].backend)
        #expect(try database.value("select pg_terminate_backend(\(backend))") == "true")
        await #expect(throws: WalletError.self) { try await pool.settle([deposit("c", "10")], resolving: nil) }

        // then money goes to whom it is for
        #expect(
            try await pool.settle([deposit("c", "10")], resolving: nil) == [.settled])
        #expect(try database.available("alice", "USDT") == "12.000000")
        #expect(try database.violations() == [])
    }

    @Test func `a connection that was never there before does not believe what others saw of another server`()
        async throws
    {
        // given accounts that one of two connections remembers, and a server where their numbers belong to others
        let database = try TestDatabase()
        try database.addMarket()
        let pool = WalletPool(database.walletConfiguration(), connectionCount: 2)
        let deposits = [deposit("a"), deposit("b", "2", to: "bob"), deposit("c", "3", to: "carol")]
        #expect(try await pool.settle(deposits, resolving: nil) == [.settled, .settled, .settled])
        #expect(await pool.connections.filter { $0.backend != nil }.count == 1)
        try swapAliceAndBob(in: database)

        // when the other one connects, since the first is at work
        let lock = try database.connect()
        try lock.script(
            "begin; select from balances join accounts using (account_no) where id = 'carol' for update of balances")
        let settling = Task { try await pool.settle([deposit("d", to: "carol")], resolving: nil) }
        try await eventually("it waits") {
            try database.value(
                """
                select count(*) from pg_stat_activity
                 where wait_event_type = 'Lock' and datname = current_database()
                """) != "0"
        }
        #expect(try await pool.settle([deposit("e", "10")], resolving: nil) == [.settled])
        try lock.script("rollback")
        #expect(try await settling.value == [.settled])
        #expect(await pool.connections.filter { $0.backend != nil }.count == 2)

        // then money goes to whom it is for
        #expect(try database.available("alice", "USDT") == "12.000000")
        #expect(try database.violations() == [])
    }

    private func swapAliceAndBob(in database: TestDatabase) throws {
        try database.execute(
            """
            update accounts set id = 'nobody' where id = 'alice'; update accounts set id = 'alice' where id = 'bob';
            update accounts set id = 'bob' where id = 'nobody'
            """)
    }
}
