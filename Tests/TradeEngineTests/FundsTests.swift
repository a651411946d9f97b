import Testing
import TradeModel

@testable import TradeEngine

/// Where money is at each moment: funds first, fees to the house, nothing made and nothing lost.
@Suite struct FundsTests {
    @Test func `a deposit opens an account, and has effect once for its key`() throws {
        let exchange = try Exchange.open()
        #expect(try exchange.deposit("alice", "100", "USD", key: "d1").rejection == nil)
        #expect(try exchange.deposit("alice", "100", "USD", key: "d1").rejection == .duplicateOperation)
        #expect(try exchange.deposit("alice", "100.01", "USD", key: "d1").rejection == .operationConflict)
        #expect(try exchange.withdraw("alice", "100", "USD", key: "d1").rejection == .operationConflict)
        #expect(exchange.balance("alice", "USD") == "100.00 + 0.00")
        #expect(try exchange.withdraw("alice", "100.01", "USD", key: "w1").rejection == .insufficientFunds)
        // A key of what was rejected is free.
        #expect(try exchange.withdraw("alice", "60", "USD", key: "w1").rejection == nil)
        #expect(try exchange.withdraw("alice", "60", "USD", key: "w1").rejection == .duplicateOperation)
        #expect(exchange.balance("alice", "USD") == "40.00 + 0.00")
        #expect(exchange.violations() == [])
    }

    @Test func `money that is held can be neither withdrawn nor spent again`() throws {
        let exchange = try Exchange.open()
        try exchange.deposit("alice", "100", "USD")
        let order = try exchange.limit("alice", .buy, "0.8", at: "100").sequence
        #expect(exchange.balance("alice", "USD") == "20.00 + 80.00")
        #expect(try exchange.withdraw("alice", "20.01", "USD").rejection == .insufficientFunds)
        #expect(try exchange.limit("alice", .buy, "0.3", at: "100").rejection == .insufficientFunds)
        let cancelled = try exchange.cancel("alice", order)
        #expect(
            cancelled.story == [
                "\(order) cancelled (asked), 0.8000 left", "release 80.00 of \(order) to alice",
            ])
        #expect(exchange.balance("alice", "USD") == "100.00 + 0.00")
    }

    @Test func `an order without funds is rejected, has that state, and changes nothing`() throws {
        let exchange = try Exchange.open()
        try exchange.deposit("alice", "99.99", "USD")
        let output = try exchange.limit("alice", .buy, "1", at: "100", id: "mine")
        #expect(output.rejection == .insufficientFunds)
        #expect(output.story == ["\(output.sequence) rejected, 0.0000 left"])
        #expect(exchange.balance("alice", "USD") == "99.99 + 0.00")
        #expect(try exchange.limit("alice", .sell, "1", at: "100").rejection == .insufficientFunds)
        #expect(try exchange.limit("alice", .buy, "0.9", at: "100", id: "mine").rejection == nil)
        #expect(try exchange.limit("nobody", .buy, "1", at: "100").rejection == .unknownAccount)
    }

    @Test func `price improvement is released, and a partial fill keeps the rest of the hold`() throws {
        let exchange = try Exchange.open()
        try exchange.deposit("alice", "10", "BTC")
        try exchange.deposit("bob", "1000", "USD")
        try exchange.limit("alice", .sell, "1", at: "100")
        let buy = try exchange.limit("bob", .buy, "3", at: "110").sequence
        #expect(exchange.balance("bob", "USD") == "680.00 + 220.00")
        try exchange.limit("alice", .sell, "1", at: "90")
        #expect(exchange.balance("bob", "USD") == "680.00 + 110.00")
        try exchange.cancel("bob", buy)
        #expect(exchange.balance("bob", "USD") == "790.00 + 0.00")
        #expect(exchange.balance("bob", "BTC") == "2.0000 + 0.0000")
        #expect(exchange.balance("alice", "USD") == "210.00 + 0.00")
        #expect(exchange.violations() == [])
    }

    @Test func `what is held rounds up and what is paid rounds down, so that no fill lacks a cent`() throws {
        let exchange = try Exchange.open()
        try exchange.deposit("alice", "10", "BTC")
        try exchange.deposit("bob", "1000", "USD")
        // 0.003 at 10.5 is 3.15 cents.
        let buy = try exchange.limit("bob", .buy, "0.003", at: "10.5").sequence
        #expect(exchange.balance("bob", "USD") == "999.96 + 0.04")
        let output = try exchange.market("alice", .sell, "0.002")
        // Two lots cost 2.1 cents, and the third needs 1.05.
        #expect(output.trades.map(\.quote.units) == [2])
        #expect(exchange.balance("bob", "USD") == "999.96 + 0.02")
        try exchange.market("alice", .sell, "0.002")
        #expect(exchange.balance("bob", "USD") == "999.97 + 0.00")
        #expect(exchange.engine.isOpen(order: buy) == false)
        #expect(exchange.violations() == [])
    }

    @Test func `each side pays its fee from what it receives, and the house gets it`() throws {
        let exchange = try Exchange.open(fees: [TradingFees(maker: 1_000, taker: 2_500)])
        try exchange.deposit("alice", "10", "BTC")
        try exchange.deposit("bob", "1000", "USD")
        try exchange.limit("alice", .sell, "2", at: "100")
        let output = try exchange.limit("bob", .buy, "2", at: "100")
        #expect(output.trades.first?.buyerFee == 50)
        #expect(output.trades.first?.sellerFee == 20)
        #expect(output.market?.feeAsset(of: .buy) == .base)
        #expect(exchange.balance("bob", "BTC") == "1.9950 + 0.0000")
        #expect(exchange.balance("alice", "USD") == "199.80 + 0.00")
        #expect(exchange.house("BTC") == 50)
        #expect(exchange.house("USD") == 20)
        #expect(exchange.violations() == [])
    }

    @Test func `fees in quote come on top for the buyer, and are held with the order`() throws {
        let exchange = try Exchange.open(feeRule: .quote, fees: [TradingFees(maker: 1_000, taker: 2_500)])
        try exchange.deposit("alice", "10", "BTC")
        try exchange.deposit("bob", "200.49", "USD")
        try exchange.limit("alice", .sell, "1", at: "100")
        #expect(try exchange.limit("bob", .buy, "2", at: "100").rejection == .insufficientFunds)
        try exchange.deposit("bob", "0.01", "USD")
        let output = try exchange.limit("bob", .buy, "2", at: "100")
        #expect(try output.trades[0].holdSpent(by: .buy, .quote) == 10_025)
        // What waits needs room for a maker's fee alone.
        #expect(exchange.balance("bob", "USD") == "0.15 + 100.10")
        #expect(exchange.balance("bob", "BTC") == "1.0000 + 0.0000")
        #expect(exchange.house("USD") == 35)
        #expect(exchange.violations() == [])
    }

    @Test(arguments: FeeRule.allCases)
    func `a rebate is paid by the house, rounded towards zero`(feeRule: FeeRule) throws {
        let exchange = try Exchange.open(feeRule: feeRule, fees: [TradingFees(maker: -1_500, taker: 0)])
        try exchange.deposit("alice", "10", "BTC")
        try exchange.deposit("bob", "1000", "USD")
        try exchange.limit("bob", .buy, "1.001", at: "100")
        let output = try exchange.market("alice", .sell, "1.001")
        // 0.15 % of 100.10 is 15.015 cents; of 1.001 BTC it is 0.0015015.
        #expect(output.trades[0].makerFee == -15)
        #expect(exchange.house(feeRule == .quote ? "USD" : "BTC") == -15)
        #expect(exchange.balance("bob", "USD") == (feeRule == .quote ? "900.05 + 0.00" : "899.90 + 0.00"))
        #expect(exchange.balance("bob", "BTC") == (feeRule == .quote ? "1.0010 + 0.0000" : "1.0025 + 0.0000"))
        #expect(exchange.violations() == [])
    }

    @Test func `an account's tier says which of the market's fees are its own`() throws {
        let exchange = try Exchange.open(
            feeRule: .quote, fees: [TradingFees(maker: 0, taker: 10_000), TradingFees(maker: 0, taker: 5_000)])
        try exchange.deposit("alice", "10", "BTC")
        try exchange.deposit("bob", "1000", "USD")
        try exchange.limit("alice", .sell, "10", at: "100")
        func fee() throws -> Amount { try exchange.limit("bob", .buy, "1", at: "100").trades[0].takerFee }
        #expect(try fee() == 100)
        #expect(try exchange.run(.setFeeTier(account: Identifier("bob")!, tier: 1)).rejection == nil)
        #expect(try fee() == 50)
        try exchange.run(.setFeeTier(account: Identifier("bob")!, tier: 200))
        #expect(try fee() == 50)
        #expect(try exchange.run(.setFeeTier(account: Identifier("eve")!, tier: 1)).rejection == .unknownAccount)
    }

    @Test func `a fee is exact for amounts of any size, and rounds towards zero`() {
        for (amount, rate, expected) in [
            (0, 500, 0), (1, 1_000_000, 1), (999, 1_000, 0), (1_000, 1_000, 1), (-0, -5, 0), (1_999, -1_000, -1),
        ] as [(Int128, Int32, Int128)] {
            #expect(fee(amount, rate) == expected)
        }
        let large: Int128 = powerOfTen(36) + 7
        #expect(fee(large, 1_000_000) == large)
        #expect(fee(large, 333_333) == Int128("333333000000000000000000000000000002")!)
        #expect(fee(large, -333_333) == -Int128("333333000000000000000000000000000002")!)
        var random = SystemRandomNumberGenerator()
        for _ in 0..<10_000 {
            let amount = Int128(Int64.random(in: 0...Int64.max, using: &random)) >> Int128.random(in: 0...62)
            let rate = Int32.random(in: -1_000_000...1_000_000, using: &random)
            #expect(fee(amount, rate) == amount * Int128(rate) / 1_000_000, "\(amount) \(rate)")
        }
    }

    @Test func `the same owner's id is refused while it is remembered, and an open order's always is`() throws {
        let exchange = try Exchange.open(limits: EngineLimits(endedOrderIDCountMax: 2))
        for account in ["alice", "bob"] { try exchange.deposit(account, "1000", "USD") }
        try exchange.limit("alice", .buy, "0.01", at: "100", id: "open")
        #expect(try exchange.limit("bob", .buy, "0.01", at: "100", id: "open").rejection == nil)
        for id in ["a", "b", "c"] {
            try exchange.limit("alice", .buy, "0.01", at: "100", id: id)
            try exchange.cancel("alice", id: id)
        }
        func again(_ id: String) throws -> RejectReason? {
            try exchange.limit("alice", .buy, "0.01", at: "100", .immediateOrCancel, id: id).rejection
        }
        #expect(try again("open") == .duplicateClientOrderID)
        #expect(try again("b") == .duplicateClientOrderID)
        #expect(try again("c") == .duplicateClientOrderID)
        // "a" is the third to last that ended.
        #expect(try again("a") == nil)
        #expect(try again("b") == nil)
        #expect(try exchange.cancel("alice", id: "c").rejection == .unknownOrder)
        #expect(try exchange.cancel("alice", id: "open").rejection == nil)
    }
}
