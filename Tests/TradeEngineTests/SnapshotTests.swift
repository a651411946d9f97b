import HashChain
import Testing
import TradeModel

@testable import TradeEngine

@Suite struct SnapshotTests {
    private func busy() throws -> Exchange {
        var commands = RandomCommands(seed: 5)
        let exchange = Exchange()
        for _ in 0..<2_000 { commands.note(try exchange.run(commands.command())) }
        return exchange
    }

    @Test func `an engine goes on from a snapshot where it stopped`() throws {
        let exchange = try busy()
        let again = try Exchange(snapshot: exchange.engine.snapshot())
        #expect(again.engine.sequence == exchange.engine.sequence)
        #expect(again.engine.hash == exchange.engine.hash)
        #expect(again.engine.tradeCount == exchange.engine.tradeCount)
        #expect(again.engine.limits == exchange.engine.limits)
        #expect(again.engine.openOrderCount == exchange.engine.openOrderCount)
        #expect(again.violations() == [])
    }

    @Test func `a snapshot of nothing is one`() throws {
        let again = try Exchange(snapshot: MatchingEngine().snapshot())
        #expect(again.engine.sequence == 0 && again.engine.hash == 0)
    }

    @Test func `the hash tells engines apart whose records differ anywhere`() throws {
        let one = try Exchange.open()
        let other = try Exchange.open()
        try one.deposit("alice", "1", "USD", key: "k")
        try other.deposit("alice", "2", "USD", key: "k")
        #expect(one.engine.hash != other.engine.hash)
        try one.deposit("bob", "1", "USD", key: "l")
        try other.deposit("bob", "1", "USD", key: "l")
        #expect(one.record == other.record)
        #expect(one.engine.hash != other.engine.hash)
    }

    @Test func `a rejected command is part of the hash`() throws {
        let exchange = try Exchange.open()
        let before = exchange.engine.hash
        #expect(try exchange.withdraw("nobody", "1", "USD").rejection == .unknownAccount)
        #expect(exchange.engine.hash != before)
    }

    @Test func `every damaged byte is noticed`() throws {
        let exchange = try Exchange.open()
        try exchange.deposit("alice", "1000", "USD")
        try exchange.limit("alice", .buy, "1", at: "100", id: "x")
        let snapshot = exchange.engine.snapshot()
        for index in snapshot.indices {
            var damaged = snapshot
            damaged[index] ^= 1 << UInt8(index % 8)
            #expect(throws: SnapshotProblem.self, "byte \(index)") { try Exchange(snapshot: damaged) }
        }
        for count in snapshot.indices {
            #expect(throws: SnapshotProblem.self, "\(count) bytes") {
                try Exchange(snapshot: Array(snapshot[..<count]))
            }
        }
    }

    @Test func `what has a right checksum and says what cannot be is refused, and nothing traps`() throws {
        let exchange = try Exchange.open()
        try exchange.deposit("alice", "1000", "USD")
        try exchange.limit("alice", .buy, "1", at: "100", id: "x")
        try exchange.limit("alice", .buy, "1", at: "101")
        let body = exchange.engine.snapshot().dropLast(8)
        var refused = 0
        for index in body.indices {
            for bit in 0..<8 as Range<UInt8> {
                var forged = Array(body)
                forged[index] ^= 1 << bit
                if (try? Exchange(snapshot: Self.sealed(forged))) == nil { refused += 1 }
            }
        }
        #expect(refused > body.count * 4)
    }

    /// With the checksum that fits.
    private static func sealed(_ body: [UInt8]) -> [UInt8] {
        body + word(body.withUnsafeBytes { HashChain.checksum($0) })
    }

    private static func word(_ value: UInt64) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: value >> (UInt64($0) * 8)) }
    }

    @Test func `a snapshot that may remember much and remembers little takes little memory`() throws {
        let exchange = try busy()
        var body = Array(exchange.engine.snapshot().dropLast(8))
        body.replaceSubrange(9..<17, with: Self.word(1 << 30))
        let snapshot = Self.sealed(body)
        let again = try Exchange(snapshot: snapshot)
        #expect(again.engine.limits.endedOrderIDCountMax == 1 << 30)
        #expect(again.engine.clientIDs.capacity <= 1 << 16)
        #expect(again.engine.snapshot() == snapshot)
    }

    @Test func `a count for which there are not enough bytes is refused where it stands`() {
        let empty = Array(MatchingEngine().snapshot().dropLast(8))
        // Assets and markets are counted in four bytes; accounts, balances, keys, ids and orders in eight.
        for (offset, width) in [(41, 4), (45, 4), (49, 8), (57, 8), (65, 8), (73, 8), (81, 8)] {
            var forged = empty
            forged.replaceSubrange(offset..<offset + width, with: Self.word(1 << 29)[..<width])
            let refusal = SnapshotProblem.malformed(MalformedBytes(.badValue, at: offset + width - 9))
            #expect(throws: refusal, "the count at \(offset)") { try Exchange(snapshot: Self.sealed(forged)) }
        }
    }

    @Test(arguments: ["balances", "the house"])
    func `sums that fit into no number are refused`(whose: String) throws {
        // A house and a world of the largest amount each, or two accounts with it: 10^38 - 1 twice is more than fits.
        let exchange = Exchange()
        try exchange.run(.listAsset(symbol: AssetSymbol("USD")!, decimals: 2))
        if whose == "the house" {
            exchange.engine.totals[0] = AssetTotals(house: Amount.maximum.units, world: Amount.maximum.units)
        } else {
            for account in ["alice", "bob"] {
                try exchange.deposit(account, "1", "USD")
            }
            for place in 0..<2 as Range<Int32> {
                exchange.engine.book.balances[place].available = Amount.maximum.units
            }
        }
        #expect(throws: SnapshotProblem.contradictory("USD does not sum to zero")) {
            try Exchange(snapshot: exchange.engine.snapshot())
        }
    }
}
