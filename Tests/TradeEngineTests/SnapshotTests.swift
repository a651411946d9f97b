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
                let checksum = forged.withUnsafeBytes { HashChain.checksum($0) }
                forged += (0..<8).map { UInt8(truncatingIfNeeded: checksum >> (UInt64($0) * 8)) }
                if (try? Exchange(snapshot: forged)) == nil { refused += 1 }
            }
        }
        #expect(refused > body.count * 4)
    }
}
