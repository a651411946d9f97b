import SettleTesting
import Testing

/// The way of a newcomer: a market, money, a trade, and the proof that the books balance.
@Suite struct FirstStepsTests {
    @Test func `a trade is submitted, settled by a worker and verified`() async throws {
        let database = try TestDatabase()
        for arguments in [
            ["asset", "add", "BTC", "--decimals", "8"], ["asset", "add", "USDT", "--decimals", "6"],
            ["market", "add", "BTC/USDT"], ["deposit", "alice", "1000", "USDT", "--id", "d1"],
            ["deposit", "bob", "1", "BTC", "--id", "d2"],
        ] {
            let result = try await Program(arguments, environment: ["DATABASE_URL": database.connectionString]).wait()
            #expect(result.exitCode == 0, "\(arguments): \(result.errors)")
        }
        let submitted = try await Program.run(
            on: database, "trade", "submit",
            input: """
                {"id":1,"market":"BTC-USDT","price":"500","quantity":"0.5","buyer_id":"alice","seller_id":"bob"}

                """)
        #expect(submitted.output == "1 accepted, 0 duplicates, 0 refused\n")
        #expect(try await Program.run(on: database, "worker", "--once").exitCode == 0)
        #expect(try database.available("alice", "BTC") == "0.50000000")
        #expect(try await Program.run(on: database, "verify").exitCode == 0)
        #expect(try database.violations() == [])
    }
}
