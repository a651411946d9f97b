import Testing
import TradeModel

@testable import TradeEngine

/// The engine's own structures against plain ones.
@Suite struct StructureTests {
    struct Generator: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state ^ state >> 29
        }
    }

    @Test(arguments: [1, 63, 64, 4_095, 100_000, MarketRules.tickLimit])
    func `the price tree finds what a sorted list finds`(tickMax: Int64) throws {
        var random = Generator(state: UInt64(tickMax))
        var tree = PriceTree(tickMax: tickMax)
        var ticks: [Int64] = []
        var nodes: [Int64: Int32] = [:]
        for step in 0..<4_000 {
            let near = ticks.randomElement(using: &random) ?? 0
            let tick =
                step % 3 == 0
                ? Int64.random(in: 0...tickMax, using: &random)
                : min(max(near + Int64.random(in: -70...70, using: &random), 0), tickMax)
            let place = ticks.firstIndex { $0 >= tick } ?? ticks.count
            if place < ticks.count, ticks[place] == tick {
                let value = tree.value(at: tick) { _ in -1 }
                #expect(value == Int32(truncatingIfNeeded: tick))
                if Bool.random(using: &random) || ticks.count > 200 {
                    let node = nodes.removeValue(forKey: tick)
                    tree.remove(tick, from: try #require(node))
                    ticks.remove(at: place)
                }
            } else {
                let value = tree.value(at: tick) { node in
                    nodes[tick] = node
                    return Int32(truncatingIfNeeded: tick)
                }
                #expect(value == Int32(truncatingIfNeeded: tick))
                #expect(nodes[tick] != nil)
                ticks.insert(tick, at: place)
            }
            let probe = Int64.random(in: 0...tickMax, using: &random)
            #expect(tree.lowest == ticks.first.map { Int32(truncatingIfNeeded: $0) })
            #expect(tree.highest == ticks.last.map { Int32(truncatingIfNeeded: $0) })
            #expect(tree.next(above: probe) == ticks.first { $0 > probe }.map { Int32(truncatingIfNeeded: $0) })
            #expect(tree.next(below: probe) == ticks.last { $0 < probe }.map { Int32(truncatingIfNeeded: $0) })
            #expect(tree.isEmpty == ticks.isEmpty)
        }
    }

    @Test func `the hash index finds what a dictionary finds, also where hashes collide`() {
        var random = Generator(state: 9)
        var index = HashIndex(capacity: 4)
        var known: [UInt32: UInt64] = [:]
        for number in 0..<20_000 as Range<UInt32> {
            // Few different upper halves, so that many have the same home.
            let hash = UInt64.random(in: 0..<700, using: &random) << 32 | UInt64(number)
            index.insert(hash, number)
            known[number] = hash
            if known.count > 300, let (victim, itsHash) = known.randomElement(using: &random) {
                index.remove(itsHash, victim)
                known[victim] = nil
            }
        }
        #expect(index.count == known.count)
        for (number, hash) in known { #expect(index.find(hash) { $0 == number } == number) }
        #expect(index.find(1 << 60) { _ in true } == nil || !known.isEmpty)
        for number in 0..<20_000 as Range<UInt32> where known[number] == nil {
            for hash in stride(from: UInt64(0), to: 700 << 32, by: 100 << 32) {
                #expect(index.find(hash) { $0 == number } == nil)
            }
        }
    }

    @Test func `the ids of the last orders that ended are remembered, also while the room for them grows`() {
        var remembered = RememberedIDs(endedCountMax: 150_000)
        let orders = Slab<RestingOrder>()
        func key(_ number: Int) -> ClientKey {
            ClientKey(low: UInt64(number), high: UInt64(number) &* 0x9e37_79b9_7f4a_7c15)
        }
        for count in 1...400_000 {
            remembered.end(key(count))
            guard [1, 65_535, 65_536, 65_537, 131_073, 150_000, 150_001, 400_000].contains(count) else { continue }
            let expected = (max(1, count - 149_999)...count).map(key)
            let isSame = remembered.remembered == expected
            #expect(isSame)
            var missingCount = 0
            for key in expected where remembered.find(key, orders) == nil { missingCount += 1 }
            #expect(missingCount == 0, "of \(count)")
            let forgotten = count > 150_000 ? remembered.find(key(count - 150_000), orders) : nil
            if forgotten != nil { Issue.record("\(count - 150_000) of \(count) is not forgotten") }
        }
        #expect(remembered.capacity == 150_000)
    }

    @Test func `the quote of a fill is what settlement makes of price and quantity`() throws {
        var random = Generator(state: 3)
        var compared = 0
        for _ in 0..<400 {
            func number(_ digits: Int, _ scale: Int) -> DecimalNumber {
                DecimalNumber(Int128(Int.random(in: 1...digits, using: &random)), scale: scale)!
            }
            let baseDecimals = Int.random(in: 0...18, using: &random)
            let quoteDecimals = Int.random(in: 0...18, using: &random)
            let tick = number(40, Int.random(in: 0...10, using: &random))
            let lot = number(30, Int.random(in: 0...min(baseDecimals, 8), using: &random))
            func multiple(_ step: DecimalNumber, _ count: Int64) -> DecimalNumber {
                DecimalNumber(step.coefficient * Int128(count), scale: step.scale)!
            }
            let listing = MarketListing(
                symbol: MarketSymbol("A/B")!, tick: tick, lot: lot, quantityMin: lot,
                quantityMax: multiple(lot, MarketRules.lotLimit), priceMax: multiple(tick, MarketRules.tickLimit),
                fees: [.none])
            guard let rules = MarketRules(listing, baseDecimals: baseDecimals, quoteDecimals: quoteDecimals) else {
                continue
            }
            for _ in 0..<50 {
                let ticks =
                    Int64.random(in: rules.tickMin...rules.tickMax, using: &random)
                    >> Int64.random(in: 0...30, using: &random)
                let lots =
                    Int64.random(in: 1...rules.lotsMax, using: &random)
                    >> Int64.random(in: 0...50, using: &random)
                guard ticks > 0, lots > 0, let quote = rules.quote(ticks, lots) else { continue }
                let (price, quantity) = (multiple(tick, ticks), multiple(lot, lots))
                guard
                    let exact = DecimalNumber.productRoundedDown(price, quantity, decimals: quoteDecimals)
                else {
                    #expect(quote > Amount.maximum.units)
                    continue
                }
                #expect(quote == exact.units, "\(price) × \(quantity)")
                let roundedUp = rules.quoteRoundedUp(ticks, lots)!
                #expect(roundedUp == quote || roundedUp == quote + 1)
                #expect(quantity.amount(decimals: baseDecimals)?.units == rules.baseUnits(lots))
                compared += 1
            }
        }
        #expect(compared > 5_000)
    }
}
