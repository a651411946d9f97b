import Repository
import SettleTesting
import Testing

/// Batches do not commit in the order of their numbers.
@Suite struct BatchHorizonTests {
    private static let take = Statement("take_number", "select nextval('batch_numbers')")

    @Test func `a batch under way keeps its number open, whatever else goes on`() throws {
        let database = try TestDatabase()
        let reader = try database.connect()
        #expect(try BatchHorizon(on: reader).newest == 0)

        // Given: a number that is not committed yet, and a later one that is; and somebody who only reads.
        let slow = try database.connect()
        try slow.script("begin")
        let first = try slow.query(Self.take).int64(0, 0)
        let quick = try database.connect()
        let second = try quick.query(Self.take).int64(0, 0)
        let idle = try database.connect()
        try idle.script("begin isolation level repeatable read; select count(*) from batches")
        #expect((first, second) == (1, 2))

        // Then
        let horizon = try BatchHorizon(on: reader)
        #expect(horizon.newest == second)
        #expect(try !horizon.isReached(on: reader))
        #expect(try !horizon.wait(on: reader, patience: .milliseconds(20)))

        // When
        try slow.script("commit")
        // Then
        #expect(try horizon.isReached(on: reader))
        #expect(try horizon.wait(on: reader, patience: .zero))
    }

    @Test func `a range that was just begun has given out none of its numbers`() throws {
        let database = try TestDatabase()
        try database.execute("select nextval('batch_numbers'); select seal_ledger_range(0)")
        #expect(try BatchHorizon(on: database.connect()).newest == (1 << 20) - 1)
    }
}
