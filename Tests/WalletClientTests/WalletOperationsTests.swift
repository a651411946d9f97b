import Repository
import SettleTesting
import Testing
import TradeModel
import WalletClient

@Suite struct WalletOperationsTests {
    private let alice = Identifier("alice")!
    private let usdt = AssetSymbol("USDT")!
    private let order = OrderKey(stream: nil, order: Identifier("o1")!)

    private func amount(_ text: String) -> DecimalNumber { DecimalNumber(text)! }
    private func key(_ text: String) -> Identifier { Identifier(text)! }

    @Test func `each operation has effect once for its key`() async throws {
        let database = try TestDatabase()
        try database.addMarket()
        let wallet = database.wallet()
        #expect(try await wallet.balances(of: alice) == nil)
        for expected in [Outcome.settled, .duplicate] {
            #expect(try await wallet.deposit(amount("100"), usdt, to: alice, key: key("d")) == expected)
        }
        for expected in [Outcome.settled, .duplicate] {
            #expect(try await wallet.reserve(amount("60"), usdt, of: alice, for: order, key: key("r")) == expected)
        }
        for expected in [Outcome.settled, .duplicate] {
            #expect(try await wallet.release(amount("25"), usdt, of: alice, for: order, key: key("l")) == expected)
        }
        for expected in [Outcome.settled, .duplicate] {
            #expect(try await wallet.withdraw(amount("50"), usdt, from: alice, key: key("w")) == expected)
        }
        let balance = try #require(try await wallet.balances(of: alice)?.first)
        #expect(balance.asset.text(balance.available) == "15.000000 USDT")
        #expect(balance.asset.text(balance.frozen) == "35.000000 USDT")
        #expect(try database.violations() == [])
    }

    @Test func `what is held cannot be withdrawn, and a key is not used twice`() async throws {
        let database = try TestDatabase()
        try database.addMarket()
        let wallet = database.wallet()
        _ = try await wallet.deposit(amount("100"), usdt, to: alice, key: key("d"))
        _ = try await wallet.reserve(amount("60"), usdt, of: alice, for: order, key: key("r"))
        let refusals = try await [
            wallet.withdraw(amount("41"), usdt, from: alice, key: key("w")),
            wallet.release(amount("61"), usdt, of: alice, for: order, key: key("l")),
            wallet.deposit(amount("99"), usdt, to: alice, key: key("d")),
        ]
        let classes = refusals.map { outcome -> FailureClass? in
            guard case .rejected(let rejection) = outcome else { return nil }
            return rejection.failureClass
        }
        #expect(classes == [.insufficientFunds, .insufficientFunds, .conflict])
        #expect(try database.available("alice", "USDT") == "40.000000")
        #expect(try database.violations() == [])
    }
}
