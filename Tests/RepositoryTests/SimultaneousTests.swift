import Dispatch
import SettleTesting
import Testing
import TradeModel

@testable import Repository

/// Two connections that want the same at the same moment: the second waits for the first, and finds what it has left.
@Suite struct SimultaneousTests {
    private let database: TestDatabase

    init() throws {
        database = try TestDatabase()
    }

    /// What the second does, begun before the first has committed, and carried on after.
    private func after<Value: Sendable>(
        _ first: (PostgresConnection) throws -> Void, _ second: @escaping @Sendable (PostgresConnection) throws -> Value
    ) async throws -> Value {
        let connection = try database.connect()
        try connection.script("begin")
        try first(connection)
        // It blocks, and must not keep a thread that other tests wait for.
        async let value = withCheckedThrowingContinuation { continuation in
            DispatchQueue.global().async { [database] in
                continuation.resume(with: Result { try second(try database.connect()) })
            }
        }
        try await eventually("the second waits") {
            try database.value(
                """
                select count(*) from pg_stat_activity
                 where wait_event_type = 'Lock' and datname = current_database()
                """) != "0"
        }
        try connection.script("commit")
        return try await value
    }

    @Test func `a stripe that another connection has just opened is found`() async throws {
        let stripe = try await after { connection in
            try connection.script("insert into accounts (id, kind) values ('7', 'house'), ('7', 'world')")
        } _: { connection in
            let stripe = try AccountStore.openStripe(7, on: connection)
            return [stripe.house, stripe.world]
        }
        let rows = try database.connect().query(
            Statement("stripe", "select account_no from accounts where id = '7' order by kind = 'world'"))
        #expect(stripe == rows.indices.map { rows.int64($0, 0) })
    }

    @Test func `a letter whose retry is refused to two operators at once is refused once`() async throws {
        try database.execute(
            """
            insert into dead_letters (fingerprint, class, message, attempts, stored, source, payload)
            values (sha256('x'), 'unknown_market', 'x', 1, false, 'test', 'x')
            """)
        let letter = try #require(
            DeadLetterStore.decode(try database.connect().query(DeadLetterStore.find(1))).first)
        let rejection = Rejection(.unknownMarket, "still not there")
        let count = try await after { connection in
            let answer = try connection.query(DeadLetterStore.recordRefusal(letter, rejection, actor: "one"))
            #expect(answer.affected == 1)
        } _: { connection in
            try connection.query(DeadLetterStore.recordRefusal(letter, rejection, actor: "two")).affected
        }
        #expect(count == 0)
        #expect(try database.value("select attempts from dead_letters") == "2")
        #expect(try database.value("select string_agg(actor, ',') from dead_letter_attempts") == "one")
    }
}
