import Testing
import TradeModel

@testable import TradeEngine

/// What is announced to an engine makes it faster, and must do nothing else.
@Suite struct AnnouncingTests {
    @Test(arguments: [1, 2, 3] as [UInt64])
    func `records are the same whatever was announced, and whether it came or not`(seed: UInt64) throws {
        var commands = RandomCommands(seed: seed)
        var random = StructureTests.Generator(state: seed)
        let plain = Exchange()
        let announced = Exchange()
        var earlier: [[UInt8]] = [[]]
        for _ in 0..<5_000 {
            let command = commands.command()
            let bytes = command.bytes
            // The command itself, one that came before, one that is cut off, and one that is damaged.
            var damaged = bytes
            damaged[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            let old = earlier.randomElement(using: &random)!
            for guess in [bytes, old, Array(bytes.prefix(Int.random(in: 0...bytes.count, using: &random))), damaged]
            where Bool.random(using: &random) {
                announce(guess, to: announced)
            }
            commands.note(try plain.run(command))
            try announced.run(command)
            guard announced.record == plain.record else {
                Issue.record("seed \(seed), sequence \(plain.engine.sequence): the records differ")
                return
            }
            earlier.append(bytes)
        }
        #expect(announced.engine.hash == plain.engine.hash)
        #expect(announced.engine.snapshot() == plain.engine.snapshot())
    }

    @Test(arguments: [.number(6), .clientOrderID(Identifier("x")!)] as [OrderReference])
    func `the order that a command changes is found ahead, one step for each that is announced`(
        reference: OrderReference
    ) throws {
        let exchange = try Exchange.open()
        try exchange.deposit("alice", "1000", "USD")
        for id in ["w", "x", "y"] { try exchange.limit("alice", .buy, "1", at: "100", id: id) }
        // Two assets, a market, a deposit and another order were before it.
        let expected = exchange.engine.orderIndex.likely(spread(6)).map { Int32($0) }
        announce(.cancel(account: Identifier("alice")!, order: reference), to: exchange)
        #expect(exchange.engine.announced.located == nil)
        announce([], to: exchange)
        #expect(exchange.engine.announced.located == expected.map { .order($0) })
        #expect(expected != nil)
        announce([], to: exchange)
        #expect(exchange.engine.announced.located == nil)
    }

    @Test func `the account that gives an order is found ahead`() throws {
        let exchange = try Exchange.open()
        for account in ["alice", "bob", "carol"] { try exchange.deposit(account, "1000", "USD") }
        let order = OrderRequest(
            account: Identifier("bob")!, market: Exchange.market, side: .buy, price: DecimalNumber("100")!,
            quantity: DecimalNumber("1")!)
        announce(.place(order), to: exchange)
        announce([], to: exchange)
        #expect(exchange.engine.announced.located == .account(1))
    }

    private func announce(_ action: EngineCommand.Action, to exchange: Exchange) {
        announce(EngineCommand(time: Timestamp(microseconds: 0), action).bytes, to: exchange)
    }

    private func announce(_ command: [UInt8], to exchange: Exchange) {
        command.withUnsafeBytes { exchange.engine.announce($0) }
    }
}
