import Repository
import ServiceKit
import SettleTesting
import Testing
import TradeModel

@testable import WalletClient

/// Several connections on the same few accounts, as fast as they can.
@Suite struct SeveralWalletsTests {
    private let database: TestDatabase

    init() throws {
        database = try TestDatabase()
        try database.addMarket()
    }

    /// The number of deadlocks that the server has seen in this database.
    private func deadlocks() throws -> String {
        try database.execute("select pg_stat_force_next_flush()")
        return try database.value("select deadlocks from pg_stat_database where datname = current_database()")
    }

    private func fund(_ amount: Int) async throws {
        _ = try await database.wallet().settle(
            (0..<4).flatMap {
                [deposit("u\($0)", "a\($0)", "\(amount)", "USDT"), deposit("b\($0)", "a\($0)", "\(amount)", "BTC")]
            })
    }

    private func randomTrade(_ id: String, _ random: inout SeededGenerator) -> SettlementItem {
        let pair = Array(0..<4).shuffled(using: &random)
        return trade(
            id, price: "\(Int.random(in: 1...9, using: &random))", quantity: "1", buyer: "a\(pair[0])",
            seller: "a\(pair[1])", fees: ("0.1", "0.1"))
    }

    /// Settles what it is given in batches, in a shuffled order of its own, and counts what it settled.
    private func work(_ items: [SettlementItem], seed: UInt64) async throws -> Int {
        var random = SeededGenerator(seed: seed)
        let wallet = database.wallet()
        var settled = 0
        var rest = items.shuffled(using: &random)[...]
        while !rest.isEmpty {
            let batch = Array(rest.prefix(Int.random(in: 1...20, using: &random)))
            rest = rest.dropFirst(batch.count)
            while true {
                do {
                    settled += try await wallet.settle(batch).count { $0 == .settled }
                    break
                } catch {
                    // Others kept moving the same money; anything else is not expected here.
                    guard error.kind == "retry", error.fault?.sqlState == nil else { throw error }
                }
            }
        }
        return settled
    }

    @Test func `two wallets on the same accounts both get on, without a deadlock`() async throws {
        try await fund(100_000)
        var random = SeededGenerator(seed: 1)
        let items = (0..<600).map { randomTrade("t\($0)", &random) }
        async let first = work(Array(items[..<300]), seed: 2)
        async let second = work(Array(items[300...]), seed: 3)
        #expect(try await [first, second] == [300, 300])
        #expect(try deadlocks() == "0")
        #expect(try database.violations() == [])
    }

    // Tight money, so that each wallet decides the same trades differently before one of them is right.
    @Test(arguments: [5, 6] as [UInt64])
    func `the same trades in several wallets settle once each, without a deadlock`(seed: UInt64) async throws {
        try await fund(20)
        var random = SeededGenerator(seed: seed)
        let items = (0..<200).map { randomTrade("t\($0)", &random) }
        async let first = work(items, seed: seed * 10)
        async let second = work(items, seed: seed * 10 + 1)
        async let third = work(items, seed: seed * 10 + 2)
        let settled = try await first + second + third
        #expect(try database.value("select count(*) from trades where status = 'SETTLED'") == "\(settled)")
        #expect(try database.value("select count(*) from trades") == "200")
        #expect(try deadlocks() == "0", "seed \(seed)")
        #expect(try database.violations() == [])
    }

    // TASK-BACKEND-008: ten concurrent settlements.
    @Test func `ten trades at once through a pool of wallets all settle`() async throws {
        try await fund(1_000)
        let pool = WalletPool(database.walletConfiguration(), connectionCount: 3)
        var random = SeededGenerator(seed: 9)
        let items = (0..<10).map { randomTrade("t\($0)", &random) }
        let outcomes = try await withThrowingTaskGroup(of: [Outcome].self) { group in
            for item in items { group.addTask { try await pool.settle([item], resolving: nil) } }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        #expect(outcomes == Array(repeating: .settled, count: 10))
        #expect(try database.violations() == [])
        await pool.close()
    }
}
