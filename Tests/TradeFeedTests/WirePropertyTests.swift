import Testing
import TradeFeed
import TradeModel

@Suite("Wire version 1, whatever comes")
struct WirePropertyTests {
    @Test func `the canonical form has these bytes`() {
        #expect(String(decoding: WireEncoder.encode(Golden.envelopeTrade), as: UTF8.self) == Golden.envelope)
        #expect(String(decoding: WireEncoder.encode(Golden.bareTrade), as: UTF8.self) == Golden.bare)
        #expect(decode(Golden.envelope)[0].decodedTrade == Golden.envelopeTrade)
    }

    @Test func `what is encoded decodes to itself`() {
        let seed = UInt64.random(in: 0...UInt64.max)
        var generator = SeededGenerator(seed: seed)
        for round in 0..<5_000 {
            let trade = Trade.random(using: &generator)
            let items = decode(bytes: WireEncoder.encode(trade))
            #expect(items.count == 1)
            guard items.first?.decodedTrade == trade else {
                Issue.record("seed \(seed), round \(round): \(trade)")
                return
            }
        }
    }

    @Test func `an array of what was encoded decodes to all of it`() {
        let seed = UInt64.random(in: 0...UInt64.max)
        var generator = SeededGenerator(seed: seed)
        let trades = (0..<500).map { _ in Trade.random(using: &generator) }
        let message = [0x5b] + trades.map { WireEncoder.encode($0) }.joined(separator: [0x2c]) + [0x5d]
        #expect(decode(bytes: message).map(\.decodedTrade) == trades, "seed \(seed)")
    }

    /// Every outcome must hold all bytes: as a trade that says the same when written again, or as a refusal.
    @Test(arguments: 0..<4) func `bytes flipped, cut, doubled or inserted never do harm`(shard: Int) {
        let seed = UInt64.random(in: 0...UInt64.max)
        var generator = SeededGenerator(seed: seed)
        for round in 0..<15_000 {
            let original = WireEncoder.encode(.random(using: &generator))
            var message = round % 3 == 0 ? [0x5b] + original + [0x2c] + original + [0x5d] : original
            for _ in 0..<Int.random(in: 1...3, using: &generator) { mutate(&message, using: &generator) }
            let items = decode(bytes: message)
            guard accountsFor(message, items) else {
                Issue.record("seed \(seed), round \(round): \(message)")
                return
            }
        }
    }

    private func mutate(_ message: inout [UInt8], using generator: inout SeededGenerator) {
        let telling = Array(#"{}[]",:\u0-.eE "#.utf8) + [0x00, 0x7f, 0x80, 0xc3, 0xed, 0xff]
        guard !message.isEmpty else { return message.append(.random(in: 0...255, using: &generator)) }
        let place = Int.random(in: 0..<message.count, using: &generator)
        switch Int.random(in: 0..<6, using: &generator) {
        case 0: message[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
        case 1: message[place] = telling.randomElement(using: &generator)!
        case 2: message.insert(telling.randomElement(using: &generator)!, at: place)
        case 3: message.remove(at: place)
        case 4: message.removeSubrange(place...)
        default:
            let end = Int.random(in: place..<message.count, using: &generator)
            message.insert(contentsOf: Array(message[place...end]), at: place)
        }
    }

    private func accountsFor(_ message: [UInt8], _ items: [SettlementItem]) -> Bool {
        if items.count == 1, items[0].payload == message {
            return items[0].refusal != nil || isFaithful(items[0])
        }
        // An array: its elements stand in the message in order, and each is accounted for.
        var rest = message[...]
        for item in items {
            guard let found = rest.firstRange(of: item.payload) else { return false }
            rest = rest[found.upperBound...]
            guard item.refusal != nil || isFaithful(item) else { return false }
        }
        return message.contains(UInt8(ascii: "["))
    }

    private func isFaithful(_ item: SettlementItem) -> Bool {
        guard let trade = item.decodedTrade else { return false }
        return decode(bytes: WireEncoder.encode(trade)).map(\.decodedTrade) == [trade]
            && decode(bytes: item.payload).map(\.decodedTrade) == [trade]
    }
}
