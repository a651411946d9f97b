import Testing
import TradeModel

@testable import TradeEngine

/// Open orders as they are shown.
@Suite struct OpenOrderTests {
    private func exchange() throws -> Exchange {
        let exchange = try Exchange.open()
        for account in ["alice", "bob"] {
            try exchange.deposit(account, "100000", "USD", key: "usd-\(account)")
            try exchange.deposit(account, "1000", "BTC", key: "btc-\(account)")
        }
        return exchange
    }

    private func all(_ exchange: Exchange, of account: String, after number: UInt64 = 0, placeCountMax: Int = 3)
        -> [OpenOrder]
    {
        var found: [OpenOrder] = []
        var place: Int? = 0
        while let from = place {
            let page = exchange.engine.openOrders(
                of: Identifier(account)!, in: nil, after: number, from: from, placeCountMax: placeCountMax, countMax: 2)
            #expect(page.orders.count <= 2)
            found += page.orders
            place = page.next
        }
        return found
    }

    @Test func `an order is found by its number and by its owner's id, by its owner alone`() throws {
        let exchange = try exchange()
        let number = try exchange.limit("alice", .buy, "2", at: "100.5", .postOnly, id: "mine").sequence
        try exchange.limit("bob", .sell, "0.5", at: "100.5")
        let expected = OpenOrder(
            number: number, account: Identifier("alice")!, market: Exchange.market, side: .buy, isPostOnly: true,
            price: 1005,
            quantity: 20_000, remaining: 15_000, held: 15_075)
        // What is not copied cannot be asked within an expectation.
        func open(_ account: String, _ reference: OrderReference) -> OpenOrder? {
            exchange.engine.openOrder(of: Identifier(account)!, reference)
        }
        func hasEnded(_ account: String) -> Bool {
            exchange.engine.hasEnded(Identifier("mine")!, of: Identifier(account)!)
        }
        #expect(open("alice", .number(number)) == expected)
        #expect(open("alice", .clientOrderID(Identifier("mine")!)) == expected)
        #expect(open("bob", .number(number)) == nil)
        #expect(open("alice", .number(number + 1)) == nil)

        #expect(!hasEnded("alice"))
        try exchange.cancel("alice", id: "mine")
        #expect(open("alice", .clientOrderID(Identifier("mine")!)) == nil)
        #expect(hasEnded("alice") && !hasEnded("bob"))
    }

    @Test func `pages of places give each open order of an account once, and none that ended`() throws {
        // given: places that were left, taken by others, and left behind by an order that moved
        let exchange = try exchange()
        var numbers: [UInt64] = []
        for step in 1...40 {
            numbers.append(try exchange.limit("alice", .buy, "0.01", at: "\(10 + step)").sequence)
            try exchange.limit("bob", .sell, "0.01", at: "\(100 + step)")
        }
        for number in numbers.prefix(20) where number % 3 == 0 {
            try exchange.cancel("alice", number)
            numbers.removeAll { $0 == number }
        }
        for number in numbers.suffix(5) { try exchange.amend("alice", number, price: "60") }
        numbers.append(try exchange.limit("alice", .buy, "0.01", at: "13").sequence)

        // then
        #expect(all(exchange, of: "alice").map(\.number).sorted() == numbers)
        #expect(all(exchange, of: "alice", placeCountMax: 1_000).map(\.number).sorted() == numbers)
        #expect(all(exchange, of: "alice", after: numbers[9]).map(\.number).sorted() == Array(numbers[10...]))
        #expect(all(exchange, of: "nobody").isEmpty)
        let elsewhere = exchange.engine.openOrders(
            of: Identifier("alice")!, in: MarketSymbol("X/Y")!, after: 0, from: 0, placeCountMax: 1_000, countMax: 1_000
        )
        #expect(elsewhere.orders.isEmpty)
    }
}
