import Foundation
import ServiceKit
import SettleTesting
import Testing
import TradeModel

@testable import Repository
@testable import WalletClient

/// A range of the ledger ends when it is full, however few of its numbers were used.
@Suite struct LedgerSealingTests {
    private let database: TestDatabase
    private let connection: PostgresConnection
    private let next: BatchNumber = 1 << 20

    init() throws {
        database = try TestDatabase()
        try database.addMarket()
        connection = try database.connect()
        try connection.liftStatementTimeout()
    }

    private func settle(_ key: String, of account: String = "alice") async throws {
        let deposit = operation(key, .deposit, account, "1", "BTC")
        #expect(try await database.wallet().settle([deposit]) == [.settled])
    }

    private func batch(of key: String) throws -> BatchNumber {
        BatchNumber(try database.value("select batch_no from operations where key = '\(key)'"))!
    }

    private func newest() throws -> BatchNumber {
        BatchNumber(try database.value("select last_value from batch_numbers"))!
    }

    private func advanceToTheEnd() throws -> [String] {
        var done: [String] = []
        while let statement = try ReadingIndexStore.advance(on: connection, patience: .milliseconds(50)) {
            done.append(statement)
        }
        return done
    }

    /// What an account's statement says, in pages.
    private func statement(of account: String = "alice") throws -> [String] {
        let now = try BalanceStore.current(
            of: [AccountNumber(database.value("select account_no from accounts where id = '\(account)'"))!],
            asset: nil, connection)
        let (key, moment) = try #require(now.first)
        return try stride(from: 1, through: moment.version, by: 4).flatMap { first in
            let page = first...min(first + 3, moment.version)
            let lines = try LedgerReader.read(connection) { reader throws(DatabaseError) in
                try reader.lines(of: key, versions: page, newest: moment.version)
            }
            #expect(lines.map(\.version) == Array(page))
            return lines.map(\.cause.text)
        }
    }

    @Test func `what commits late into a range that was left is found`() async throws {
        // Given: a batch that has its number and is held up.
        try await settle("bob-1", of: "bob")
        var keys: [String] = []
        for _ in 0..<20 {
            keys.append("k\(keys.count)")
            try await settle(keys.last!)
        }
        #expect(try statement() == keys)
        _ = try advanceToTheEnd()
        let holder = try database.connect()
        try holder.script("begin; lock table ledger_entries_0 in share mode")
        let wallet = database.wallet()
        async let late = wallet.settle([operation("late", .deposit, "bob", "1", "BTC")])
        let waiting = Statement(
            "waiting",
            """
            select count(*) = 1 from pg_locks
             where relation = 'ledger_entries_0'::regclass and not granted
               and database = (select oid from pg_database where datname = current_database())
            """)
        try await eventually("a batch waits") { try connection.query(waiting).bool(0, 0) }

        // When
        try database.execute("select seal_ledger_range(0)")
        keys += ["first-of-next", "second-of-next"]
        for key in keys.suffix(2) { try await settle(key) }
        #expect(try statement() == keys)
        // Its index would keep the late one from being written.
        #expect(try advanceToTheEnd() == [])
        try holder.script("commit")
        #expect(try await late == [.settled])
        let done = try advanceToTheEnd()

        // Then
        #expect(try batch(of: "first-of-next") == next)
        #expect(try batch(of: "second-of-next") > next)
        #expect(try batch(of: "late") < next)
        #expect(done.count { $0.hasPrefix("create index ledger_entries_0_by_account") } == 1)
        #expect(try LedgerSegmentStore.read(connection).map(\.isIndexed) == [true, false])
        #expect(try statement() == keys)
        #expect(try statement(of: "bob") == ["bob-1", "late"])
        #expect(try database.violations() == [])
    }

    /// On a thread of its own, since it may wait.
    private static func seal(in database: TestDatabase) async throws {
        try await withCheckedThrowingContinuation { (ended: CheckedContinuation<Void, any Error>) in
            Thread.detachNewThread {
                ended.resume(with: Result { try database.execute("select seal_ledger_range(0)") })
            }
        }
    }

    @Test func `of two processes that seal a range at once one does, and one that comes later moves nothing`()
        async throws
    {
        // Given
        let ranges = "select string_agg(range_no::text, ' ' order by range_no) from ledger_ranges()"
        #expect(try database.value(ranges) == "0 1")
        let holder = try database.connect()
        try holder.script("begin; select pg_advisory_xact_lock(7401, 2)")
        let database = database
        async let first: Void = Self.seal(in: database)
        async let second: Void = Self.seal(in: database)
        let waiting = Statement(
            "waiting",
            """
            select count(*) = 2 from pg_stat_activity
             where datname = current_database() and wait_event = 'advisory' and query like '%seal_ledger_range%'
            """)
        try await eventually("both wait") { try connection.query(waiting).bool(0, 0) }
        // When
        try holder.script("commit")
        _ = try await (first, second)
        // Then
        #expect(try database.value("select nextval('batch_numbers')") == "\(next)")
        #expect(try database.value(ranges) == "0 1 2")
        for range in 0...2 where range != 1 { try database.execute("select seal_ledger_range(\(range))") }
        #expect(try database.value("select nextval('batch_numbers')") == "\(next + 1)")
    }

    @Test func `the last numbers of a range are used up`() async throws {
        try await settle("k1")
        try database.execute("select setval('batch_numbers', (1 << 20) - 4096); select seal_ledger_range(0)")
        #expect(try newest() == next - 4_096)
        try database.execute("select setval('batch_numbers', (1 << 20) - 4097); select seal_ledger_range(0)")
        #expect(try newest() == next)
        #expect(try database.violations() == [])
    }
}
