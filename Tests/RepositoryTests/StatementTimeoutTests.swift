import Repository
import SettleTesting
import ServiceKit
import Testing

@Suite struct StatementTimeoutTests {
    private static let slow = Statement("slow", "select 1 from pg_sleep(5.5)")

    private func connection() throws -> PostgresConnection {
        var limits = Limits()
        limits.statementTimeoutMilliseconds = 100
        return try TestDatabase().connect(limits)
    }

    @Test func `a statement that takes too long is cancelled`() throws {
        let connection = try connection()
        let error = #expect(throws: DatabaseError.self) { try connection.query(Self.slow) }
        #expect(error?.sqlState == DatabaseError.queryCanceled)
    }

    @Test func `with the timeout lifted, server and client both wait as long as it takes`() throws {
        let connection = try connection()
        try connection.liftStatementTimeout()
        #expect(try connection.query(Self.slow).count == 1)
    }
}
