import HashChain
import Testing
import TradeModel

@testable import TradeEngine

/// An engine under test: commands go in as values, records come out as values, and the bytes between are checked.
final class Exchange {
    var engine: MatchingEngine
    var now: Int64 = 1_767_323_045_000_000
    /// The last record's bytes.
    private(set) var record: [UInt8] = []

    init(limits: EngineLimits = EngineLimits(endedOrderIDCountMax: 64)) {
        engine = MatchingEngine(limits: limits)
    }

    init(snapshot: [UInt8]) throws {
        let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: snapshot.count, alignment: 1)
        defer { bytes.deallocate() }
        bytes.copyBytes(from: snapshot)
        engine = try MatchingEngine.from(snapshot: UnsafeRawBufferPointer(bytes))
    }

    @discardableResult func run(_ action: EngineCommand.Action) throws -> EngineOutput {
        now += 1
        return try run(EngineCommand(time: Timestamp(microseconds: now), action))
    }

    @discardableResult func run(_ command: EngineCommand) throws -> EngineOutput {
        record = try command.bytes.withUnsafeBytes { Array(try engine.apply($0)) }
        let output = try record.withUnsafeBytes { try EngineOutput(bytes: $0) }
        #expect(output.bytes == record, "a record is written in one way")
        return output
    }

    /// What is wrong with the money; empty where nothing is.
    func violations() -> [String] {
        var sums = [Int128](repeating: 0, count: engine.assets.count)
        var holds: [Int32: Int128] = [:]
        var found: [String] = []
        for place in 0..<engine.book.balances.high {
            let balance = engine.book.balances[Int32(place)]
            sums[Int(engine.book.balanceKeys[Int32(place)].asset)] += balance.available + balance.held
            if balance.available < 0 || balance.held < 0 { found.append("balance \(place) is negative: \(balance)") }
        }
        for (index, asset) in engine.assets.enumerated() {
            let totals = engine.totals[Int32(index)]
            guard sums[index] + totals.house + totals.world != 0 else { continue }
            found.append("\(asset.symbol) does not sum to zero: \(sums[index]) + \(totals)")
        }
        engine.forEachOpenOrder { order in
            holds[order.heldBalance, default: 0] += order.hold
            if order.hold < 0 || order.remaining <= 0 { found.append("order \(order.number) is \(order)") }
        }
        for place in 0..<engine.book.balances.high {
            let held = engine.book.balances[Int32(place)].held
            if held != holds[Int32(place)] ?? 0 { found.append("balance \(place) holds \(held), not what orders do") }
        }
        return found
    }
}
