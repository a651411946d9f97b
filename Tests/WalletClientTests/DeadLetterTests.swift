import Repository
import SettleTesting
import Testing
import TradeModel

@testable import WalletClient

/// What is parked, and how often.
@Suite struct DeadLetterTests {
    private let database: TestDatabase
    private let wallet: Wallet

    init() async throws {
        database = try TestDatabase()
        try database.addMarket()
        wallet = database.wallet()
        _ = try await wallet.settle([deposit("d1", "alice", "100", "USDT"), deposit("d2", "bob", "10", "BTC")])
    }

    private func letters() throws -> String {
        try database.value(
            "select string_agg(class || ' ' || status || ' ' || stored, ', ' order by letter_no) from dead_letters")
    }

    // TASK-BACKEND-008: the invalid trades, and an amount that does not fit.
    @Test(arguments: [
        trade("t1", price: "0", quantity: "1", buyer: "alice", seller: "bob"),
        trade("t1", price: "-1", quantity: "1", buyer: "alice", seller: "bob"),
        trade("t1", price: "1", quantity: "0", buyer: "alice", seller: "bob"),
        trade("t1", price: "1", quantity: "-2", buyer: "alice", seller: "bob"),
        trade("t1", price: "1.0000001", quantity: "1", buyer: "alice", seller: "bob"),
        trade("t1", price: "1", quantity: "0.000000001", buyer: "alice", seller: "bob"),
        trade("t1", price: "0.000001", quantity: "0.00000001", buyer: "alice", seller: "bob"),
        trade("t1", price: "1", quantity: "1", buyer: "alice", seller: "bob", fees: ("1.1", "0")),
        trade("t1", price: "99999999999999999999", quantity: "9999999999999", buyer: "alice", seller: "bob"),
    ])
    func `an invalid trade is parked with its reason and moves nothing`(item: SettlementItem) async throws {
        let good = trade("t1", price: "1", quantity: "1", buyer: "alice", seller: "bob")
        let outcomes = try await wallet.settle([item, good])
        #expect(outcomes[0].failureClass == .invalid)
        #expect(outcomes[1] == .settled)
        #expect(try letters() == "invalid open false")
        #expect(try database.available("alice", "USDT") == "99.000000")
        #expect(try database.violations() == [])
    }

    @Test func `the same bad trade arriving again is parked once`() async throws {
        let bad = trade("t1", price: "0", quantity: "1", buyer: "alice", seller: "bob")
        let poor = trade("t2", price: "900", quantity: "1", buyer: "alice", seller: "bob")
        for _ in 0..<2 { _ = try await wallet.settle([bad, poor, bad, poor]) }
        _ = try await database.wallet().settle([poor, bad])
        #expect(try letters() == "invalid open false, insufficient_funds open true")
        #expect(try database.value("select count(*) from dead_letter_attempts") == "2")
        #expect(try database.violations() == [])
    }

    @Test func `a trade that could not be stored and now can takes its letter along`() async throws {
        let item = trade("t1", market: "ETH/USDT", price: "900", quantity: "1", buyer: "alice", seller: "bob")
        #expect(try await wallet.settle([item])[0].failureClass == .unknownMarket)
        #expect(try letters() == "unknown_market open false")
        try database.addMarket("ETH/USDT")
        #expect(try await wallet.settle([item])[0].failureClass == .insufficientFunds)
        #expect(try letters() == "insufficient_funds open true")
        #expect(try database.violations() == [])
    }

    // Trap 22: the state FAILED is left by a retry only, and a retry pays once.
    @Test func `a retried trade that fails again reopens its letter, and settles when the money is there`() async throws
    {
        let item = trade("t1", price: "150", quantity: "1", buyer: "alice", seller: "bob")
        _ = try await wallet.settle([item])
        let connection = try database.connect()
        for round in 1...2 {
            let retried = try connection.query(DeadLetterStore.retry([1], actor: "eve", reason: "try"))
            #expect(retried.count == 1)
            #expect(try database.violations() == [])
            #expect(try await wallet.settle(database.pending(item))[0].failureClass == .insufficientFunds)
            #expect(try database.value("select status || ' ' || attempts from dead_letters") == "open \(round + 1)")
        }
        _ = try await wallet.settle([deposit("d3", "alice", "50", "USDT")])
        try connection.query(DeadLetterStore.retry([1], actor: "eve", reason: "paid"))
        let row = try database.pending(item)
        #expect(try await wallet.settle(row) == [.settled])
        #expect(try await wallet.settle(row) == [.duplicate])
        #expect(try connection.query(DeadLetterStore.retry([1], actor: "eve", reason: "again")).count == 0)
        #expect(
            try database.value("select string_agg(action, ' ' order by number) from dead_letter_attempts")
                == "parked retried parked retried parked retried")
        #expect(try database.violations() == [])
    }

    @Test(arguments: [
        "nul \0 inside", String(repeating: "😀", count: 20_000), "'; drop table trades; --", "\u{7f}\u{1}",
    ])
    func `whatever a refusal names is parked, with its bytes`(name: String) async throws {
        let rejection = Rejection(.invalid, "id \(name) is not one")
        let refused = RefusedMessage(rejection, market: name, tradeID: name)
        let bytes = Array(name.utf8) + [0xff, 0]
        let item = SettlementItem(.refused(refused), origin: .message("test"), payload: bytes)
        #expect(try await wallet.settle([item, item])[1].failureClass == .invalid)
        let rows = try database.connect().query(Statement("payloads", "select payload from dead_letters"))
        #expect(rows.count == 1 && rows.byteArray(0, 0) == bytes)
        #expect(try database.violations() == [])
    }

    @Test func `a message of a bad trade whose row waits leaves the decision to the row`() async throws {
        let bad = trade("t1", price: "0", quantity: "1", buyer: "alice", seller: "bob")
        let row = try database.pending(bad)
        #expect(try await wallet.settle([bad]) == [.duplicate])
        #expect(try database.violations() == [])
        #expect(try await wallet.settle(row)[0].failureClass == .invalid)
        #expect(try letters() == "invalid open true")
        #expect(try database.violations() == [])
    }

    @Test func `a claimed row that was taken away meanwhile holds nobody up`() async throws {
        let rows = try database.pending(
            trade("t1", price: "1", quantity: "1", buyer: "alice", seller: "bob"),
            trade("t2", price: "1", quantity: "1", buyer: "alice", seller: "bob"))
        try database.execute("delete from trades where trade_id = 't1'")
        let refused = SettlementItem(
            .refused(RefusedMessage(Rejection(.invalid, "x"), market: "BTC/USDT", tradeID: "t1")),
            origin: rows[0].origin)
        #expect(try await wallet.settle(rows + [refused]) == [.duplicate, .settled, .duplicate])
        #expect(try database.violations() == [])
    }

    @Test func `a row whose numbers nobody can read is failed with a letter`() async throws {
        try database.execute(
            """
            insert into trades (market, trade_id, price, quantity, buyer_id, seller_id)
            values ('BTC/USDT', 't1', 'NaN', 1, 'alice', 'bob')
            """)
        let row = TradeStore.decode(
            try database.connect().query(
                TradeStore.read([TradeKey(market: MarketSymbol("BTC/USDT")!, id: Identifier("t1")!)])))[0]
        #expect(row.trade == nil)
        let item = SettlementItem(
            .refused(RefusedMessage(Rejection(.invalid, "price is no number"), market: "BTC/USDT", tradeID: "t1")),
            origin: .pending(receivedSequence: row.receivedSequence, attempts: 0))
        #expect(try await wallet.settle([item])[0].failureClass == .invalid)
        #expect(try database.value("select status from trades") == "FAILED")
        #expect(try letters() == "invalid open true")
        #expect(try database.violations() == [])
    }

    @Test func `an operation that comes again says that it was carried out, though the money is gone`() async throws {
        let all = operation(.withdrawal, "w1", "alice", "100", "USDT")
        #expect(try await wallet.settle([all]) == [.settled])
        #expect(try await wallet.settle([all]) == [.duplicate])
        #expect(try await database.wallet().settle([all, all]) == [.duplicate, .duplicate])
        let other = operation(.withdrawal, "w1", "alice", "1", "USDT")
        #expect(try await database.wallet().settle([other])[0].failureClass == .conflict)
        #expect(try database.violations() == [])
    }
}
