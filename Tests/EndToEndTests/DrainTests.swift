import SettleTesting
import Testing
import TradeModel

extension Processes {
    /// What has waited behind an older trade of its account, when that waits no longer.
    @Suite(.timeLimit(.minutes(5))) struct DrainTests {
        @Test func `what waited long behind one older trade is decided within seconds of it`() async throws {
            // Given: a trade of a halted market, and behind it many of the same account, which cannot pay them.
            let database = try TestDatabase()
            try await database.fund()
            try database.addMarket("ETH/USDT")
            try await database.expecting("deposit bob 1000 ETH --id fund-eth")
            let worker = try await Program.worker(on: database)
            try await database.expecting("market halt BTC/USDT --reason prices")
            _ = try await database.typing("trade submit", input: tradeLine("first"))
            _ = try await database.typing(
                "trade submit",
                input: (1...150).map { tradeLine("\($0)", price: "5000", market: "ETH/USDT") }.joined())
            try await eventually("all are put back") {
                try database.count("trades where status = 'PENDING' and claimed_by is null and not_before is not null")
                    == 150
            }
            // They came over some seconds, half a minute ago, and were looked at since.
            try database.execute(
                """
                update trades set received_at = now() - interval '30 seconds' + (received_seq % 151) * interval '50 ms',
                                  not_before = null
                 where market = 'ETH/USDT'
                """)
            try await eventually("all are put back") {
                try database.count(
                    "trades where status = 'PENDING' and claimed_by is null and not_before > now() + interval '1 second'"
                ) >= 100
            }

            // When: the market goes on.
            try await database.expecting("market resume BTC/USDT --reason mended")

            // Then: two looks are enough for all of them.
            try await eventually("all are decided") { try database.trades(.pending) == 0 }
            #expect(try database.trades(.settled) == 1)
            #expect(try database.trades(.failed) == 150)
            #expect(await worker.stop().exitCode == 0)
            #expect(try database.violations() == [])
        }
    }
}
