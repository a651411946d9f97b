import Repository
import ServiceKit
import SettleTesting
import Testing
import TradeModel

@testable import WalletClient

@Suite struct WalletTests {
    @Test func `a trade moves both sides, and the books balance`() async throws {
        let database = try TestDatabase()
        try database.addMarket()
        let wallet = database.wallet()
        #expect(
            try await wallet.settle([
                deposit("d1", "alice", "1000", "USDT"), deposit("d2", "bob", "2", "BTC"),
                trade("t1", price: "100.5", quantity: "0.5", buyer: "alice", seller: "bob", fees: ("0.001", "0.25")),
            ]) == [.settled, .settled, .settled])
        #expect(try database.available("alice", "USDT") == "949.750000")
        #expect(try database.available("alice", "BTC") == "0.49900000")
        #expect(try database.available("bob", "USDT") == "50.000000")
        #expect(try database.available("bob", "BTC") == "1.50000000")
        #expect(try database.available("house", "USDT") == "0.250000")
        #expect(try database.available("house", "BTC") == "0.00100000")
        #expect(try database.available("world", "USDT") == "-1000.000000")
        #expect(try database.violations() == [])
    }

    @Test func `a trade that arrives again has no effect, with other content it is a conflict`() async throws {
        let database = try TestDatabase()
        try database.addMarket()
        let wallet = database.wallet()
        _ = try await wallet.settle([deposit("d1", "alice", "1000", "USDT"), deposit("d2", "bob", "2", "BTC")])
        let first = trade("t1", price: "100", quantity: "1", buyer: "alice", seller: "bob")
        let other = trade("t1", price: "101", quantity: "1", buyer: "alice", seller: "bob")
        #expect(try await wallet.settle([first]) == [.settled])
        #expect(try await wallet.settle([first, first]) == [.duplicate, .duplicate])
        #expect(try await database.wallet().settle([first]) == [.duplicate])
        let outcome = try await wallet.settle([other])
        guard case .rejected(let rejection) = outcome[0] else {
            Issue.record("\(outcome)")
            return
        }
        #expect(rejection.failureClass == .conflict)
        #expect(rejection.message.contains("price 101 instead of 100"))
        _ = try await wallet.settle([other])
        #expect(try database.value("select count(*) from dead_letters") == "1")
        #expect(try database.available("alice", "USDT") == "900.000000")
        #expect(try database.violations() == [])
    }

    @Test func `a credit line of any size pays what the balance does not`() async throws {
        let database = try TestDatabase()
        try database.addMarket()
        let wallet = database.wallet()
        _ = try await wallet.settle([deposit("d1", "alice", "100", "USDT"), deposit("d2", "bob", "2", "BTC")])
        try database.execute(
            """
            update balances set lowest = 1 - 10::numeric ^ 38
             where account_no = (select account_no from accounts where id = 'alice');
            insert into operator_actions (actor, action, subject, reason, detail)
            values ('ops', 'credit', 'account alice', 'a line',
                    '{"asset": "USDT", "amount": "99999999999999999999999999999999.999999"}')
            """)
        let item = trade("t1", price: "150", quantity: "1", buyer: "alice", seller: "bob")
        #expect(try await database.wallet().settle([item]) == [.settled])
        #expect(try database.available("alice", "USDT") == "-50.000000")
        #expect(try database.violations() == [])
    }

    @Test func `a trade without funds is parked and its neighbours settle`() async throws {
        let database = try TestDatabase()
        try database.addMarket()
        let wallet = database.wallet()
        _ = try await wallet.settle([deposit("d1", "alice", "100", "USDT"), deposit("d2", "bob", "2", "BTC")])
        let outcomes = try await wallet.settle([
            trade("t1", price: "60", quantity: "1", buyer: "alice", seller: "bob"),
            trade("t2", price: "60", quantity: "1", buyer: "alice", seller: "bob"),
            trade("t3", price: "40", quantity: "1", buyer: "alice", seller: "bob"),
            trade("t4", price: "1", quantity: "1", buyer: "nobody", seller: "bob"),
        ])
        #expect(outcomes[0] == .settled)
        guard case .rejected(let rejection) = outcomes[1] else { throw WaitedInVain(description: "\(outcomes[1])") }
        #expect(rejection.failureClass == .insufficientFunds)
        #expect(
            rejection.message
                == "buyer alice has 40.000000 USDT available, needs 60.000000 USDT: 20.000000 USDT missing")
        // The same as numbers, in the smallest unit, in the plan and in the table.
        #expect(rejection.shortfall?.needed == 60_000_000 && rejection.shortfall?.missing == 20_000_000)
        #expect(
            try database.value(
                """
                select concat_ws(' ', short_account, short_asset, short_needed, short_available, short_held, short_missing)
                  from dead_letters where trade_id = 't2'
                """) == "alice USDT 60000000 40000000 0 20000000")
        #expect(outcomes[2] == .settled)
        #expect(
            outcomes[3]
                == .rejected(
                    Rejection(.unknownAccount, "there is no account nobody (the buyer); a first deposit opens it")))
        #expect(try database.available("alice", "USDT") == "0.000000")
        #expect(try database.value("select count(*) from trades where status = 'FAILED'") == "2")
        #expect(try database.violations() == [])
    }
}

func deposit(_ key: String, _ account: String, _ amount: String, _ asset: String) -> SettlementItem {
    operation(.deposit, key, account, amount, asset)
}

func operation(
    _ kind: Operation.Kind, _ key: String, _ account: String, _ amount: String, _ asset: String, order: String? = nil
) -> SettlementItem {
    SettlementItem(
        .operation(
            Operation(
                key: Identifier(key)!, kind: kind, account: Identifier(account)!, asset: AssetSymbol(asset)!,
                amount: DecimalNumber(amount)!,
                order: order.map { OrderKey(stream: nil, order: Identifier($0)!) })),
        origin: .message("test"))
}

func trade(
    _ id: String, market: String = "BTC/USDT", price: String, quantity: String, buyer: String, seller: String,
    fees: (buyer: String, seller: String) = ("0", "0"), orders: (buy: String?, sell: String?) = (nil, nil)
) -> SettlementItem {
    SettlementItem(
        .trade(
            Trade(
                id: Identifier(id)!, market: MarketSymbol(market)!, price: DecimalNumber(price)!,
                quantity: DecimalNumber(quantity)!, buyer: Identifier(buyer)!, seller: Identifier(seller)!,
                buyOrder: orders.buy.flatMap(Identifier.init), sellOrder: orders.sell.flatMap(Identifier.init),
                buyerFee: DecimalNumber(fees.buyer)!, sellerFee: DecimalNumber(fees.seller)!)),
        origin: .message("test"), payload: Array("{\"id\":\"\(id)\"}".utf8))
}
