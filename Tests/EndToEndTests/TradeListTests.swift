import Foundation
import SettleTesting
import Testing

/// `settle trade list` where there are many trades, and the indexes that a worker builds for it and its like.
@Suite struct TradeListTests {
    private let database: TestDatabase

    init() throws {
        database = try TestDatabase()
        try database.addMarket()
        try database.addMarket("ETH/USDT")
    }

    /// 60 000 trades with a hole in their numbers; every 20 000th failed, the last three wait.
    private func fill() throws {
        try database.damage(
            """
            insert into trades (market, trade_id, price, quantity, buyer_id, seller_id, received_seq, received_at, status, batch_no,
                                not_before)
            select 'BTC/USDT', n::text, 1, 1, 'a', 'b', n + case when n > 30000 then 5000000 else 0 end,
                   '2026-01-01'::timestamptz + n * interval '1 second',
                   case when n % 20000 = 0 then 'FAILED' when n > 60000 then 'PENDING' else 'SETTLED' end::trade_status, 1,
                   '2100-01-01'
              from generate_series(1, 60003) n;
            insert into trades (market, trade_id, price, quantity, buyer_id, seller_id, received_seq, received_at, status, batch_no)
            values ('ETH/USDT', 'x', 1, 1, 'a', 'b', 5060004, '2026-01-01 12:00', 'SETTLED', 1);
            select setval('received_numbers', 5060010);
            """)
    }

    private func ids(_ options: String) async throws -> [String] {
        let result = try await database.typing("trade list -o jsonl \(options)")
        #expect(result.exitCode == 0, "\(result.errors)")
        // Bytes, since there may be 60 000 lines.
        return result.output.utf8.split(separator: UInt8(ascii: "\n")).map { line in
            String(Substring(line.dropFirst(#"{"id":""#.utf8.count).prefix { $0 != UInt8(ascii: "\"") }))
        }
    }

    private func examine() async throws {
        #expect(try await ids("--limit 2") == ["1", "2"])
        #expect(try await ids("--after 9223372036854775807") == [])
        #expect(try await ids("--after -9223372036854775808 --limit 1") == ["1"])
        #expect(try await ids("--last 3") == ["60002", "60003", "x"])
        #expect(try await ids("--limit 2 --after 30000") == ["30001", "30002"])
        #expect(try await ids("--limit 2 --after 29999") == ["30000", "30001"])
        #expect(try await ids("--status failed") == ["20000", "40000", "60000"])
        #expect(try await ids("--status failed --last 2") == ["40000", "60000"])
        #expect(try await ids("--status pending --last 2") == ["60002", "60003"])
        #expect(try await ids("--market ETH/USDT") == ["x"])
        #expect(try await ids("--market ETH/USDT --last 9") == ["x"])
        #expect(try await ids("--since 2026-01-01T11:06:40Z --limit 1") == ["40000"])
        #expect(try await ids("--until 2026-01-01T08:20:02Z --last 2") == ["30000", "30001"])
        #expect(try await ids("--since 2026-01-01T16:40:00Z --status settled") == [])
        #expect(try await ids("--since 2026-01-01T12:00:00Z --last 1 --market BTC/USDT --status settled") == ["59999"])
        #expect(try await ids("--after 9000000000") == [])
        #expect(try await ids("--limit 100000").count == 60_004)
    }

    @Test func `trades are found over holes, with indexes and without`() async throws {
        try fill()
        try await examine()
        let worker = try await Program.worker(on: database)
        #expect(await worker.waitFor("trades_2_failed"))
        #expect(await worker.stop().exitCode == 0)
        #expect(try database.value("select count(*) from pg_class where relname = 'trades_1_by_arrival'") == "1")
        try database.execute("analyze trades")
        try await examine()
    }

    @Test func `a worker stops although an index waits for somebody else's transaction`() async throws {
        try fill()
        let blocker = try database.connect()
        try blocker.script(
            "set idle_in_transaction_session_timeout = 0; begin; lock table batches in row exclusive mode")
        let worker = try await Program.worker(on: database)
        try await eventually("an index waits", timeout: .seconds(180)) {
            try database.value(
                "select count(*) from pg_stat_activity where query like 'create index%' and datname = current_database()"
            )
                == "1"
        }
        let result = await worker.stop()
        #expect(result.exitCode == 0, "\(result.errors)")
        #expect(!result.errors.contains("index not built"))
    }

    @Test func `a market that there is not is told, with the one that was meant`() async throws {
        let near = try await database.typing("trade list --market BTC/USD")
        #expect(near.exitCode == 5)
        #expect(
            near.errors == "settle: there is no market BTC/USD. Did you mean 'BTC/USDT'? 'settle market list' shows "
                + "those there are\n")
        let empty = try await database.typing("trade list --market ETH/USDT --status failed")
        #expect(empty.exitCode == 0)
        #expect(empty.errors == "No such trades.\n")
    }

    @Test(arguments: [
        "--last 0", "--last 5 --limit 5", "--last 5 --after 5", "--until soon",
    ])
    func `what contradicts itself is refused`(options: String) async throws {
        let result = try await database.typing("trade list \(options)")
        #expect(result.exitCode == 64)
        #expect(result.output == "")
    }
}
