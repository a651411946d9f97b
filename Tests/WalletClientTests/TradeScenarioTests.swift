import Repository
import SettleTesting
import Testing
import TradeModel

@testable import WalletClient

/// The scenarios of one trade: its amounts, its market's spelling, and the database failing under it.
@Suite struct TradeScenarioTests {
    private let database: TestDatabase
    private let wallet: Wallet

    init() async throws {
        database = try TestDatabase()
        try database.addMarket()
        wallet = database.wallet()
        _ = try await wallet.settle([deposit("d1", "alice", "1000", "USDT"), deposit("d2", "bob", "2", "BTC")])
    }

    @Test(arguments: ["BTC/USDT", "BTC-USDT", "BTC_USDT"])
    func `a market is the same in its three spellings`(spelling: String) async throws {
        let one = trade("t1", market: spelling, price: "10", quantity: "1", buyer: "alice", seller: "bob")
        let same = trade("t1", market: "BTC/USDT", price: "10.0", quantity: "1.00", buyer: "alice", seller: "bob")
        #expect(try await wallet.settle([one, same]) == [.settled, .duplicate])
        #expect(try database.value("select market from trades") == "BTC/USDT")
        #expect(try database.violations() == [])
    }

    // Trap 21: a fee leaves one account and reaches another.
    @Test(arguments: [
        (FeeRule.received, "0.1", "1", "800.000000", "1.90000000", "199.000000", "1.000000", "0.10000000"),
        (FeeRule.received, "-0.1", "-1", "800.000000", "2.10000000", "201.000000", "-1.000000", "-0.10000000"),
        (FeeRule.quote, "3", "1", "797.000000", "2.00000000", "199.000000", "4.000000", ""),
        (FeeRule.quote, "-3", "-1", "803.000000", "2.00000000", "201.000000", "-4.000000", ""),
    ])
    func `each fee rule books its fees and rebates`(
        rule: FeeRule, buyerFee: String, sellerFee: String, buyerQuote: String, buyerBase: String, sellerQuote: String,
        houseQuote: String, houseBase: String
    ) async throws {
        try database.execute("update markets set fees = '\(rule.rawValue)'")
        let wallet = database.wallet()
        let item = trade(
            "t1", price: "100", quantity: "2", buyer: "alice", seller: "bob", fees: (buyerFee, sellerFee))
        #expect(try await wallet.settle([item]) == [.settled])
        #expect(try database.available("alice", "USDT") == buyerQuote)
        #expect(try database.available("alice", "BTC") == buyerBase)
        #expect(try database.available("bob", "USDT") == sellerQuote)
        #expect(try database.available("house", "USDT") == houseQuote)
        #expect(try database.available("house", "BTC") == houseBase)
        #expect(try database.violations() == [])
    }

    // Trap 18.
    @Test func `a self-trade needs both sides and changes nothing but the fees`() async throws {
        _ = try await wallet.settle([deposit("d3", "alice", "1", "BTC")])
        let own = trade("t1", price: "1000", quantity: "1", buyer: "alice", seller: "alice", fees: ("0.1", "5"))
        let again = trade("t2", price: "1000", quantity: "1", buyer: "alice", seller: "alice")
        let outcomes = try await wallet.settle([own, again])
        #expect(outcomes[0] == .settled)
        #expect(outcomes[1].failureClass == .insufficientFunds)
        #expect(try database.available("alice", "USDT") == "995.000000")
        #expect(try database.available("alice", "BTC") == "0.90000000")
        #expect(try database.violations() == [])
    }

    // Trap 19: an 18-decimal asset in billions, and what is beyond every bound.
    @Test func `an asset of eighteen decimals holds billions and refuses what no balance can hold`() async throws {
        try database.addMarket("ETH/USDT", decimals: (18, 6))
        let most = "99999999999999999999.999999999999999999"
        let outcomes = try await wallet.settle([
            deposit("e1", "bob", "1000000000", "ETH"), deposit("e2", "carol", most, "ETH"),
            deposit("e3", "carol", "0.000000000000000001", "ETH"),
            trade("t1", market: "ETH/USDT", price: "0.000001", quantity: "999999999", buyer: "alice", seller: "bob"),
            trade("t2", market: "ETH/USDT", price: "0.000001", quantity: "1", buyer: "alice", seller: "bob"),
        ])
        #expect(outcomes[0] == .settled && outcomes[3] == .settled && outcomes[4] == .settled, "\(outcomes)")
        // The outside world, which mirrors all deposits, is the first that is full.
        #expect(outcomes[1].failureClass == .invalid && outcomes[2] == .settled, "\(outcomes)")
        #expect(try database.available("alice", "ETH") == "1000000000.000000000000000000")
        #expect(try database.violations() == [])
    }

    // Traps 12 and 23: status, money and ledger are one commit, whichever of the writes fails.
    @Test(arguments: ["trades", "balances", "ledger_entries", "batches", "dead_letters", "operations", "holds"])
    func `when one of the tables cannot be written nothing is, and later all of it`(table: String) async throws {
        let before = try database.value("select sum(version) from balances")
        try database.execute(
            """
            create function refuse() returns trigger language plpgsql as
            $$ begin raise 'no room' using errcode = 'disk_full'; end $$;
            create trigger refused before insert or update on \(table) for each statement execute function refuse();
            """)
        let batch = [
            trade("t1", price: "100", quantity: "1", buyer: "alice", seller: "bob"),
            trade("t2", price: "9000", quantity: "1", buyer: "alice", seller: "bob"),
            operation(.reserve, "r1", "alice", "5", "USDT", order: "o1"),
        ]
        let error = try await failure { try await wallet.settle(batch) }
        #expect(error?.kind == "unavailable", "\(String(describing: error))")
        #expect(try database.value("select count(*) from trades") == "0")
        #expect(try database.value("select sum(version) from balances") == before)
        #expect(try database.violations() == [])

        try database.execute("drop function refuse() cascade")
        let outcomes = try await wallet.settle(batch)
        #expect(outcomes[0] == .settled && outcomes[2] == .settled)
        #expect(outcomes[1].failureClass == .insufficientFunds)
        #expect(try database.violations() == [])
    }
}
