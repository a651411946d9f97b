import Repository
import SettleTesting
import Testing
import TradeModel

@testable import WalletClient

/// Credit lines that are given, raised and lowered while wallets remember them otherwise.
@Suite struct CreditLineTests {
    private let database: TestDatabase
    private let wallet: Wallet

    init() async throws {
        database = try TestDatabase()
        try database.addMarket()
        wallet = database.wallet()
        _ = try await wallet.settle([deposit("d1", "maker", "3", "USDT"), deposit("d2", "bob", "10", "BTC")])
    }

    @discardableResult
    private func setLine(_ amount: String, _ symbol: String = "USDT", of id: String = "maker") throws -> String {
        let connection = try database.connect()
        let asset = try CatalogStore.read(connection).assets[AssetSymbol(symbol)!]!
        let before = try AccountActions.setCreditLine(
            DecimalNumber(amount)!.amount(decimals: asset.decimals)!, asset, of: Identifier(id)!, actor: "eve",
            reason: "test", on: connection)
        return before.text(decimals: asset.decimals)
    }

    private func buying(_ id: String, for price: String) -> SettlementItem {
        trade(id, price: price, quantity: "1", buyer: "maker", seller: "bob")
    }

    private func message(_ outcome: Outcome) -> String {
        if case .rejected(let rejection) = outcome { rejection.message } else { "\(outcome)" }
    }

    @Test func `an account goes below zero down to its line and not further`() async throws {
        #expect(try setLine("100") == "0.000000")
        #expect(try await wallet.settle([buying("t1", for: "103")]) == [.settled])
        #expect(try database.available("maker", "USDT") == "-100.000000")
        #expect(
            try await message(wallet.settle([buying("t2", for: "0.01")])[0])
                == "buyer maker has -100.000000 USDT available and a credit line of 100.000000 USDT, "
                + "needs 0.010000 USDT: 0.010000 USDT missing")
        #expect(try await wallet.settle([deposit("d3", "maker", "50", "USDT")]) == [.settled])
        let withdrawal = Operation(
            key: Identifier("w1")!, kind: .withdrawal, account: Identifier("maker")!, asset: AssetSymbol("USDT")!,
            amount: DecimalNumber("60")!)
        #expect(
            try await message(wallet.settle([SettlementItem(.operation(withdrawal), origin: .message("test"))])[0])
                == "account maker has -50.000000 USDT available and a credit line of 100.000000 USDT, "
                + "needs 60.000000 USDT: 10.000000 USDT missing")
        #expect(try database.violations() == [])
    }

    @Test func `a line in an asset of which there is nothing yet`() async throws {
        try setLine("2", "BTC")
        let selling = trade("t1", price: "1", quantity: "2", buyer: "bob", seller: "maker")
        _ = try await wallet.settle([deposit("d3", "bob", "10", "USDT")])
        #expect(try await wallet.settle([selling]) == [.settled])
        #expect(try database.available("maker", "BTC") == "-2.00000000")
        #expect(try database.violations() == [])
    }

    @Test func `a lowered line holds against a wallet that remembers more`() async throws {
        try setLine("100")
        #expect(try await wallet.settle([buying("t1", for: "3")]) == [.settled])
        #expect(try setLine("50") == "100.000000")
        #expect(
            try await message(wallet.settle([buying("t2", for: "80")])[0])
                == "buyer maker has 0.000000 USDT available and a credit line of 50.000000 USDT, "
                + "needs 80.000000 USDT: 30.000000 USDT missing")
        #expect(try await wallet.settle([buying("t3", for: "50")]) == [.settled])
        #expect(try database.violations() == [])
    }

    @Test func `a raised line is seen by a wallet that remembers less`() async throws {
        #expect(try await wallet.settle([buying("t1", for: "3")]) == [.settled])
        try setLine("100")
        #expect(try await wallet.settle([buying("t2", for: "80")]) == [.settled])
        #expect(try database.violations() == [])
    }

    @Test(arguments: [("100", "20", false), ("20", "100", true)])
    func `a line that changes while a trade is being written counts`(
        from: String, to: String, settles: Bool
    ) async throws {
        try setLine(from)
        _ = try await wallet.settle([buying("t0", for: "3")])
        let holder = try database.holding("maker", "USDT")
        let changing = inBackground { try self.setLine(to) }
        try await database.untilWaitingForLocks(1)
        async let outcome = wallet.settle([buying("t1", for: "80")])
        try await database.untilWaitingForLocks(2)
        try holder.commit()
        _ = try await changing.value
        #expect(try await outcome[0].failureClass == (settles ? nil : .insufficientFunds))
        #expect(try database.available("maker", "USDT") == (settles ? "-80.000000" : "0.000000"))
        #expect(try database.violations() == [])
    }

    @Test func `a line is not lowered below what a trade that is just settling uses of it`() async throws {
        try setLine("100")
        let holder = try database.holding("maker", "USDT")
        async let outcome = wallet.settle([buying("t1", for: "103")])
        try await database.untilWaitingForLocks(1)
        let changing = inBackground { try self.setLine("99") }
        try await database.untilWaitingForLocks(2)
        try holder.commit()
        #expect(try await outcome == [.settled])
        await #expect(throws: AccountRefusal.self) { try await changing.value }
        #expect(try setLine("100") == "100.000000")
        #expect(try database.count("operator_actions") == 1)
        #expect(try database.violations() == [])
    }

    @Test func `closing takes the lines away`() async throws {
        try setLine("5", "BTC", of: "bob")
        #expect(
            try await wallet.settle([
                SettlementItem(
                    .operation(
                        Operation(
                            key: Identifier("w1")!, kind: .withdrawal, account: Identifier("bob")!,
                            asset: AssetSymbol("BTC")!, amount: DecimalNumber("10")!)), origin: .message("test"))
            ]) == [.settled])
        _ = try AccountActions.set(
            .closed, of: Identifier("bob")!, actor: "eve", reason: "left", on: try database.connect())
        #expect(
            try database.value("select detail from operator_actions order by action_no desc limit 1")
                == #"{"from": "active", "credit_BTC": "5.00000000"}"#)
        #expect(try database.count("balances where lowest < 0") == 0)
        #expect(throws: AccountRefusal.self) { try setLine("5", "BTC", of: "bob") }
        #expect(try database.violations() == [])
    }

    @Test func `a line and a batch that open the same balance do not wait for each other in a ring`() async throws {
        let holder = try database.connect()
        try holder.script("begin; select from accounts where id = 'maker' for update")
        let setting = inBackground { try self.setLine("2", "BTC") }
        try await database.untilWaitingForLocks(1)
        // It opens the maker's balance in BTC and changes the one in USDT.
        async let bought = wallet.settle([buying("t1", for: "3")])
        try await database.untilWaitingForLocks(2)
        try holder.commit()
        #expect(try await setting.value == "0.00000000")
        #expect(try await bought == [.settled])
        #expect(
            try database.value(
                "select string_agg(available || ' ' || lowest, ', ' order by asset_no) from balances "
                    + "join accounts using (account_no) where id = 'maker'") == "100000000 -200000000, 0 0")
        #expect(try setLine("0", "BTC") == "2.00000000")
        #expect(try database.violations() == [])
    }

    @Test func `no line where there was none leaves no balance behind`() throws {
        #expect(try setLine("0", "BTC") == "0.00000000")
        #expect(
            try database.count(
                "balances join assets using (asset_no) join accounts using (account_no) "
                    + "where accounts.id = 'maker' and symbol = 'BTC'") == 0)
    }
}
