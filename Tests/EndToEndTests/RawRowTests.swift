import Repository
import SettleTesting
import Testing
import TradeModel

/// Rows that somebody wrote into `trades` by hand.
@Suite struct RawRowTests {
    private static let columns = "market, trade_id, price, quantity, buyer_id, seller_id"

    /// What no message could say, and where the row stands after a worker saw it.
    @Test(arguments: [
        ("(\(columns)) values ('BTC/USDT', 'x', 10, 1, 'ali' || chr(7) || 'ce', 'bob')", "FAILED invalid"),
        ("(\(columns)) values ('BTC/USDT', 'x', 10, 1, 'alice', 'bob' || chr(10))", "FAILED invalid"),
        ("(\(columns)) values ('BTC/USDT', 'x', 'NaN', 1, 'alice', 'bob')", "FAILED invalid"),
        ("(\(columns)) values ('BTC/USDT', 'x', 'Infinity', 1, 'alice', 'bob')", "FAILED invalid"),
        ("(\(columns)) values ('BTC/USDT', 'x', 10, 10::numeric ^ 200, 'alice', 'bob')", "FAILED invalid"),
        ("(\(columns)) values ('BTC/USDT', 'x', 10, -1, 'alice', 'bob')", "FAILED invalid"),
        (
            "(\(columns), attempts) values ('BTC/USDT', 'x', 10, 99, 'alice', 'bob', 2147483647)",
            "FAILED insufficient_funds"
        ),
        ("(\(columns), attempts) values ('BTC/USDT', 'x', 10, 1, 'alice', 'bob', 2147483647)", "SETTLED"),
        (
            "(\(columns), received_seq) values ('BTC/USDT', 'x', 10, 99, 'alice', 'bob', 9223372036854775807)",
            "FAILED insufficient_funds"
        ),
        (
            "(\(columns), executed_at) values ('BTC/USDT', 'x', 10, 99, 'alice', 'bob', 'infinity')",
            "FAILED insufficient_funds"
        ),
        ("(\(columns), executed_at) values ('BTC/USDT', 'x', 10, 1, 'alice', 'bob', '-infinity')", "SETTLED"),
        ("(\(columns), claimed_by) values ('BTC/USDT', 'x', 10, 1, 'alice', 'bob', 4711)", "SETTLED"),
        ("(\(columns), buy_order_id, stream) values ('BTC/USDT', 'x', 10, 1, 'alice', 'bob', '', '')", "SETTLED"),
    ])
    func `a row that no message could be is parked, and stands in nobody's way`(
        row: String, expected: String
    ) async throws {
        let database = try TestDatabase()
        try database.addMarket()
        try await deposit([("alice", "100", "USDT"), ("bob", "10", "BTC")], in: database)
        try database.execute(
            """
            insert into trades \(row);
            insert into trades (\(Self.columns)) values ('BTC/USDT', 'good', 10, 1, 'alice', 'bob')
            """)
        #expect(try await database.typing("worker --once --log-level error").exitCode == 0)
        #expect(try database.value("select status from trades where trade_id = 'good'") == "SETTLED")
        #expect(
            try database.value(
                """
                select t.status || coalesce(' ' || l.class, '') from trades t
                  left join dead_letters l on l.stored and (l.market, l.trade_id) = (t.market, t.trade_id)
                 where t.trade_id = 'x'
                """) == expected)
        #expect(try await database.typing("dlq list").exitCode == 0)
        #expect(try await database.typing("trade show x").exitCode == 0)
        let retry = try await database.typing("dlq retry --all --yes")
        #expect(retry.exitCode == (expected == "SETTLED" ? 0 : 1), "\(retry.errors)")
        #expect(try database.violations() == [])
    }

    @Test func `the clock is put back, and what a dead worker had claimed is free all the same`() async throws {
        let database = try TestDatabase()
        try database.addMarket()
        try await deposit([("alice", "100", "USDT"), ("bob", "10", "BTC")], in: database)
        try database.execute(
            """
            insert into workers (host, process_id, version, heartbeat_at)
            values ('gone', 1, '0', clock_timestamp() + interval '1 hour');
            insert into trades (\(Self.columns), claimed_by)
            select 'BTC/USDT', 'x', 10, 1, 'alice', 'bob', worker_no from workers
            """)
        #expect(try await database.typing("worker --once --log-level error").exitCode == 0)
        #expect(try database.trades(.settled) == 1)
        #expect(try database.violations() == [])
    }
}
