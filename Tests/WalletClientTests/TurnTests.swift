import Repository
import SettleTesting
import Testing
import TradeModel

@testable import WalletClient

/// Batches of the same accounts that are in work at once.
@Suite struct TurnTests {
    private let database: TestDatabase

    init() throws {
        database = try TestDatabase()
        try database.addMarket()
    }

    private func begin(_ batch: [SettlementItem], after earlier: Turn) -> (turn: Turn, task: Task<[Outcome], any Error>)
    {
        let turn = Turn(after: earlier)
        return (turn, Task { [wallet = database.wallet()] in try await wallet.settle(batch, in: turn) })
    }

    private func fund(_ accounts: String...) async throws {
        _ = try await database.wallet().settle(
            accounts.flatMap {
                [deposit("u-\($0)", $0, "1000", "USDT"), deposit("b-\($0)", $0, "1000", "BTC")]
            })
    }

    private func status(_ trade: String) throws -> String {
        try database.value("select coalesce((select status::text from trades where trade_id = '\(trade)'), 'none')")
    }

    private func sessionsInTransactions() throws -> String {
        try database.value(
            """
            select count(*) from pg_stat_activity
             where datname = current_database() and state = 'idle in transaction' and pid <> pg_backend_pid()
            """)
    }

    @Test func `the later writes once the earlier has written, and commits once it has committed`() async throws {
        // Given
        try await fund("1", "2")
        let earlier = Turn()
        let (turn, task) = begin([trade("t", price: "10", quantity: "1", buyer: "1", seller: "2")], after: earlier)
        // When
        earlier.reach(.written)
        #expect(await Turn(after: turn).untilPredecessor(.written))
        // Then
        #expect(try sessionsInTransactions() == "1")
        #expect(try status("t") == "none")
        earlier.reach(.committed)
        #expect(try await task.value == [.settled])
        #expect(try status("t") == "SETTLED")
        #expect(try database.violations() == [])
    }

    @Test(arguments: [Turn.Stage.begun, .written])
    func `the later is not settled when the earlier fails, however far both are`(stage: Turn.Stage) async throws {
        // Given
        try await fund("1", "2")
        let earlier = Turn()
        earlier.reach(stage)
        let (turn, task) = begin([trade("t", price: "10", quantity: "1", buyer: "1", seller: "2")], after: earlier)
        if stage == .written { #expect(await Turn(after: turn).untilPredecessor(.written)) }
        // When
        earlier.fail()
        // Then
        await #expect(throws: WalletError.outOfTurn) { try await task.value }
        #expect(try status("t") == "none")
        #expect(try database.value("select count(*) from ledger_entries where cause_id = 't'") == "0")
        #expect(try database.violations() == [])
    }

    @Test func `the part of a batch that succeeds after a failure does not let the later go`() async {
        let earlier = Turn()
        let turn = Turn(after: earlier)
        earlier.fail()
        earlier.reach(.committed)
        earlier.fail()
        #expect(await turn.untilPredecessor(.committed) == false)
    }

    @Test func `money that the earlier brings is there for the later`() async throws {
        // Given: nobody but 1 has anything.
        _ = try await database.wallet().settle([
            deposit("u", "1", "1000", "USDT"), deposit("b", "3", "1000", "BTC"), deposit("d", "2", "1", "BTC"),
        ])
        let wallets = WalletPool(database.walletConfiguration(), connectionCount: 2)
        for round in 0..<30 {
            // When: 2 gets the money from 1 in one batch, and spends it in the next.
            let first = Turn()
            let second = Turn(after: first)
            async let earlier = wallets.settle(
                [trade("e\(round)", price: "10", quantity: "1", buyer: "1", seller: "2")], resolving: nil, in: first)
            async let later = wallets.settle(
                [trade("l\(round)", price: "10", quantity: "1", buyer: "2", seller: "3")], resolving: nil, in: second)
            // Then
            #expect(try await earlier == [.settled], "round \(round)")
            #expect(try await later == [.settled], "round \(round)")
        }
        #expect(try database.violations() == [])
        await wallets.close()
    }

    @Test func `one connection is enough for batches that follow each other`() async throws {
        try await fund("1", "2")
        let wallets = WalletPool(database.walletConfiguration(), connectionCount: 1)
        var turn: Turn?
        try await withThrowingTaskGroup(of: [Outcome].self) { group in
            for number in 0..<20 {
                let following = Turn(after: turn)
                turn = following
                group.addTask {
                    try await wallets.settle(
                        [trade("t\(number)", price: "1", quantity: "1", buyer: "1", seller: "2")], resolving: nil,
                        in: following)
                }
            }
            for try await outcomes in group { #expect(outcomes == [.settled]) }
        }
        #expect(try database.violations() == [])
        await wallets.close()
    }
}
