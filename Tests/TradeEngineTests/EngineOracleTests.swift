import Foundation
import Testing
import TradeModel

@testable import TradeEngine

/// The engine against the blackboard, on random commands: each record must be the same, and no money may appear or
/// vanish.
@Suite struct EngineOracleTests {
    /// How many commands each seed makes; SETTLE_ENGINE_COMMANDS says another number.
    static let commandCount = Int(ProcessInfo.processInfo.environment["SETTLE_ENGINE_COMMANDS"] ?? "") ?? 25_000
    static let seeds: [UInt64] = {
        let first = ProcessInfo.processInfo.environment["SETTLE_ENGINE_SEED"].flatMap { UInt64($0) } ?? 1
        return (0..<4).map { first + $0 }
    }()

    @Test(arguments: seeds)
    func `every record is what the reference makes of the command, and money is conserved`(seed: UInt64) throws {
        print("seed \(seed), \(Self.commandCount) commands; SETTLE_ENGINE_SEED and SETTLE_ENGINE_COMMANDS change that")
        var commands = RandomCommands(seed: seed)
        let exchange = Exchange(limits: EngineLimits(endedOrderIDCountMax: 64))
        let reference = ReferenceEngine(endedIDCountMax: 64)
        var counts: [String: Int] = [:]
        for step in 1...Self.commandCount {
            let command = commands.command()
            let output = try exchange.run(command)
            let expected = reference.apply(command)
            guard output == expected else {
                Issue.record("seed \(seed), sequence \(step): \(output)\nis not\n\(expected)")
                return
            }
            commands.note(output)
            counts[output.rejection?.name ?? "accepted", default: 0] += 1
            let violations = exchange.violations()
            guard violations.isEmpty else {
                Issue.record("seed \(seed), sequence \(step): \(violations)\nafter \(output)")
                return
            }
            if step % 1_000 == 0 { #expect(differences(exchange, reference) == []) }
        }
        #expect(differences(exchange, reference) == [])
        if Self.commandCount >= 25_000 {
            for reason in RejectReason.allCases where Self.expectedReasons.contains(reason) {
                #expect(counts[reason.name] != nil, "seed \(seed) never met \(reason.name)")
            }
            #expect(counts["accepted"]! > Self.commandCount / 2, "\(counts)")
        }
    }

    /// Those that random commands meet; the others have tests of their own.
    private static let expectedReasons = Set(RejectReason.allCases).subtracting([
        .invalidMarketRules, .invalidAccountName, .amountOverflow, .limitReached, .houseInDebt,
    ])

    private func differences(_ exchange: Exchange, _ reference: ReferenceEngine) -> [String] {
        var found: [String] = []
        for (account, assets) in reference.balances {
            for (asset, balance) in assets {
                let expected = EngineBalance(available: balance.available, held: balance.held)
                let actual = exchange.engine.balance(of: account, asset)
                if actual != expected {
                    found.append("\(account) \(asset): \(String(describing: actual)), not \(expected)")
                }
            }
        }
        for (symbol, book) in reference.books {
            let depth = exchange.engine.depth(of: symbol, levelCountMax: .max)
            for side in OrderSide.allCases {
                var waiting: [Int128: Int128] = [:]
                for order in book.orders where order.side == side {
                    waiting[order.price, default: 0] += order.remaining
                }
                let levels = (side == .buy ? depth?.bids : depth?.asks) ?? []
                let best = side == .buy ? waiting.keys.sorted(by: >) : waiting.keys.sorted()
                if levels.map(\.price) != best || levels.contains(where: { $0.quantity != waiting[$0.price] }) {
                    found.append("\(symbol) \(side.name): \(levels), not \(waiting)")
                }
            }
        }
        for (asset, _) in RandomCommands.assets {
            if exchange.engine.houseBalance(asset) != reference.house[asset] ?? 0 { found.append("house \(asset)") }
        }
        return found
    }

    @Test(arguments: [11, 12] as [UInt64])
    func `an engine that goes on from a snapshot makes the same records and the same snapshots`(seed: UInt64) throws {
        var commands = RandomCommands(seed: seed)
        let first = Exchange()
        var second = Exchange()
        for step in 1...3_000 {
            let command = commands.command()
            let output = try first.run(command)
            try second.run(command)
            commands.note(output)
            guard first.record == second.record, first.engine.hash == second.engine.hash else {
                Issue.record("seed \(seed): the engines differ first at sequence \(step)")
                return
            }
            if commands.draw(40) == 0 {
                let snapshot = second.engine.snapshot()
                #expect(snapshot == first.engine.snapshot(), "sequence \(step)")
                second = try Exchange(snapshot: snapshot)
                #expect(second.engine.snapshot() == snapshot)
                #expect(second.violations() == [])
            }
        }
        #expect(first.engine.openOrderCount > 10)
    }
}
