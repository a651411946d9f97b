import Repository
import ServiceKit
import SettleTesting
import Testing
import TradeModel

@testable import WalletClient

/// Accounts that operators freeze and close while wallets remember them otherwise.
@Suite struct AccountStatusTests {
    private let database: TestDatabase
    private let wallet: Wallet

    init() async throws {
        database = try TestDatabase()
        try database.addMarket()
        wallet = database.wallet()
        _ = try await wallet.settle([
            deposit("d1", "alice", "100", "USDT"), deposit("d2", "bob", "10", "BTC"),
        ])
    }

    @discardableResult
    private func set(_ status: AccountStatus, _ id: String = "alice", dryRun: Bool = false) throws -> Bool {
        try AccountActions.set(
            status, of: Identifier(id)!, actor: "eve", reason: "test", on: try database.connect(), dryRun: dryRun)
    }

    private func operation(
        _ key: String, _ kind: Operation.Kind, _ amount: String, order: String? = nil, of account: String = "alice"
    ) -> SettlementItem {
        SettlementItem(
            .operation(
                Operation(
                    key: Identifier(key)!, kind: kind, account: Identifier(account)!, asset: AssetSymbol("USDT")!,
                    amount: DecimalNumber(amount)!, order: order.map { OrderKey(stream: nil, order: Identifier($0)!) })),
            origin: .message("test"))
    }

    private func message(_ outcome: Outcome) -> String {
        if case .rejected(let rejection) = outcome { rejection.message } else { "\(outcome)" }
    }

    @Test func `a frozen account trades and receives, and neither withdraws nor holds`() async throws {
        #expect(try await wallet.settle([operation("h1", .reserve, "10", order: "o1")]) == [.settled])
        #expect(try set(.frozen))
        #expect(try !set(.frozen))
        let outcomes = try await wallet.settle([
            operation("w1", .withdrawal, "1"), operation("h2", .reserve, "1", order: "o2"),
            deposit("d9", "alice", "5", "USDT"), operation("r1", .release, "10", order: "o1"),
            trade("t1", price: "50", quantity: "1", buyer: "alice", seller: "bob"),
        ])
        #expect(outcomes.suffix(3) == [.settled, .settled, .settled])
        #expect(outcomes.prefix(2).map(message) == ["account alice is frozen", "account alice is frozen"])
        #expect(try set(.active))
        #expect(try await wallet.settle([operation("w1", .withdrawal, "55")]) == [.settled])
        #expect(try database.violations() == [])
    }

    @Test func `a freeze waits for the withdrawal that is just settling, and holds for the next`() async throws {
        let holder = try database.holding("alice", "USDT")
        async let first = wallet.settle([operation("w1", .withdrawal, "10")])
        try await database.untilWaitingForLocks(1)
        let freezing = inBackground { try self.set(.frozen) }
        try await database.untilWaitingForLocks(2)
        try holder.commit()
        #expect(try await first == [.settled])
        #expect(try await freezing.value)
        #expect(try await message(wallet.settle([operation("w3", .withdrawal, "10")])[0]) == "account alice is frozen")
        #expect(try database.violations() == [])
    }

    @Test func `a withdrawal that meets a freeze under way is refused`() async throws {
        let holder = try database.holding("alice", "USDT")
        let freezing = inBackground { try self.set(.frozen) }
        try await database.untilWaitingForLocks(1)
        async let withdrawn = wallet.settle([operation("w1", .withdrawal, "10")])
        try await database.untilWaitingForLocks(2)
        try holder.commit()
        #expect(try await freezing.value)
        #expect(try await message(withdrawn[0]) == "account alice is frozen")
        #expect(try database.available("alice", "USDT") == "100.000000")
        #expect(try database.violations() == [])
    }

    @Test func `a first deposit in an asset that is just settling keeps the account open`() async throws {
        _ = try await wallet.settle([deposit("d3", "carol", "1", "USDT")])
        #expect(try await wallet.settle([operation("w1", .withdrawal, "1", of: "carol")]) == [.settled])
        // The balance in BTC does not exist yet, so only the account's own row can make a closing wait.
        let holder = try database.holdingUp(insertsInto: "batches")
        async let deposited = wallet.settle([deposit("d4", "carol", "2", "BTC")])
        try await database.untilWaitingForLocks(1)
        let closing = inBackground { try self.set(.closed, "carol") }
        try await database.untilWaitingForLocks(2)
        try holder.script("commit")
        #expect(try await deposited == [.settled])
        await #expect(throws: AccountRefusal.self) { try await closing.value }
        #expect(try database.value("select status from accounts where id = 'carol'") == "active")
        #expect(try database.violations() == [])
    }

    @Test func `an account is closed once it has nothing, and nothing moves on it then`() async throws {
        #expect(throws: AccountRefusal.self) { try set(.closed) }
        #expect(try await wallet.settle([operation("h1", .reserve, "100", order: "o1")]) == [.settled])
        #expect(throws: AccountRefusal.self) { try set(.closed) }
        #expect(
            try await wallet.settle([
                operation("r1", .release, "100", order: "o1"), operation("w1", .withdrawal, "100"),
            ]) == [.settled, .settled])
        let row = try database.pending(trade("t1", price: "60", quantity: "1", buyer: "alice", seller: "bob"))
        #expect(throws: AccountRefusal.self) { try set(.closed) }
        #expect(try await wallet.settle(row)[0].failureClass == .insufficientFunds)
        #expect(try set(.closed, dryRun: true))
        #expect(try set(.closed))
        #expect(try !set(.closed))
        #expect(throws: AccountRefusal.self) { try set(.frozen) }

        let outcomes = try await wallet.settle([
            deposit("d9", "alice", "5", "USDT"),
            trade("t2", price: "50", quantity: "1", buyer: "bob", seller: "alice"),
        ])
        #expect(outcomes.map(\.failureClass) == [.unknownAccount, .unknownAccount])
        #expect(outcomes.map(message) == ["account alice is closed", "account alice (the seller) is closed"])
        #expect(try set(.active))
        #expect(try await wallet.settle([deposit("d9", "alice", "5", "USDT")]) == [.settled])
        #expect(
            try database.value("select string_agg(action, ' ' order by action_no) from operator_actions")
                == "close unfreeze")
        #expect(try database.violations() == [])
    }

    @Test func `only customers have a status that operators change`() throws {
        for id in ["house", "world", "0", "nobody"] {
            #expect(throws: AccountRefusal.self, "\(id)") { try set(.frozen, id) }
        }
    }
}
