import Foundation
import TradeFeed
import TradeModel
import Testing

@testable import Benchmark

/// The load is what was asked for, and the same each time.
@Suite struct LoadGeneratorTests {
    private static let skews: [Skew] = [.uniform, .hot, .ten, .zipf(exponent: 1), .zipf(exponent: 2)]

    private func trades(_ skew: Skew, _ count: Int = 50_000, accounts: Int = 1_000, seed: UInt64 = 7) -> [LoadTrade] {
        let generator = LoadGenerator(LoadShape(accountCount: accounts, skew: skew), seed: seed)
        return (0..<count).map(generator.trade)
    }

    /// How often each account is on one side or the other, the busiest first.
    private func appearances(_ trades: [LoadTrade]) -> [Int: Int] {
        trades.reduce(into: [:]) { counts, trade in
            counts[trade.buyer, default: 0] += 1
            counts[trade.seller, default: 0] += 1
        }
    }

    @Test(arguments: skews) func `a seed repeats its trades, and another makes others`(skew: Skew) {
        #expect(trades(skew, 500) == trades(skew, 500))
        #expect(trades(skew, 500) != trades(skew, 500, seed: 8))
    }

    @Test(arguments: skews) func `buyer and seller are two accounts of the load, with a price and a fee`(skew: Skew) {
        for trade in trades(skew, 20_000) {
            #expect(trade.buyer != trade.seller)
            #expect((0..<1_000).contains(trade.buyer) && (0..<1_000).contains(trade.seller))
            #expect((4_500_000...5_500_000).contains(trade.priceCents))
            #expect((1_000...5_000_000).contains(trade.quantity))
            #expect((trade.buyerFee > 0) == trade.buyerTakes && (trade.sellerFee > 0) != trade.buyerTakes)
        }
    }

    @Test func `uniform uses every account about as often`() {
        let counts = appearances(trades(.uniform))
        #expect(counts.count == 1_000)
        // 100 on average; six standard deviations.
        #expect(counts.values.allSatisfy { (40...160).contains($0) })
    }

    @Test func `hot has one market maker in four of five trades, on either side`() {
        let trades = trades(.hot)
        let bought = trades.count { $0.buyer == 0 }
        let sold = trades.count { $0.seller == 0 }
        #expect((39_400...40_600).contains(bought + sold))
        #expect((19_400...20_600).contains(bought))
        #expect(appearances(trades).count == 1_000)
    }

    @Test func `ten uses ten accounts`() {
        let counts = appearances(trades(.ten))
        #expect(counts.keys.sorted() == Array(0..<10))
        #expect(counts.values.allSatisfy { (9_400...10_600).contains($0) })
    }

    @Test(arguments: [0.5, 1, 2]) func `Zipf's law gives the k-th account its share`(exponent: Double) {
        let count = 100
        let table = AliasTable.zipf(count: count, exponent: exponent)
        var dice = SystemRandomNumberGenerator()
        let draws = 400_000
        var counts = [Int](repeating: 0, count: count)
        for _ in 0..<draws { counts[table.draw(using: &dice)] += 1 }
        let total = (1...count).reduce(0.0) { $0 + pow(Double($1), -exponent) }
        for (place, found) in counts.enumerated() {
            let expected = Double(draws) * pow(Double(place + 1), -exponent) / total
            #expect(
                abs(Double(found) - expected) < 6 * expected.squareRoot() + 1, "\(place + 1): \(found), \(expected)")
        }
    }

    @Test func `the busiest accounts of a Zipf load come first`() {
        let counts = appearances(trades(.zipf(exponent: 1)))
        #expect(counts[0]! > counts[1]! && counts[1]! > counts[5]! && counts[5]! > counts[50, default: 0])
    }

    @Test(arguments: [100, 1_000]) func `so many cannot be paid as were asked for`(basisPoints: Int) {
        let shape = LoadShape(accountCount: 500, skew: .uniform, unfundableBasisPoints: basisPoints)
        let generator = LoadGenerator(shape, seed: 3)
        let poor = (0..<100_000).map(generator.trade).filter { $0.buyer >= 500 }
        let expected = 10 * basisPoints
        #expect(abs(poor.count - expected) < expected / 10)
        // Each of them costs more than the one unit that poor accounts have.
        #expect(poor.allSatisfy { $0.quote > 1_000_000 && $0.buyer < 600 })
    }

    @Test(arguments: [100, 2_000]) func `so many messages repeat an earlier one as were asked for`(basisPoints: Int) {
        let shape = LoadShape(accountCount: 500, skew: .uniform, duplicateBasisPoints: basisPoints)
        let generator = LoadGenerator(shape, seed: 3)
        var seen: Set<Int> = []
        var repeated = 0
        for place in 0..<100_000 {
            let number = generator.number(at: place)
            #expect(number <= place)
            if number != place {
                repeated += 1
                #expect(seen.contains(number))
            }
            seen.insert(number)
        }
        let expected = 10 * basisPoints
        #expect(abs(repeated - expected) < expected / 10)
    }

    @Test func `a line is decoded to the trade that it was made from`() throws {
        let line = LoadLine(run: "1-0-0")
        for trade in trades(.uniform, 2_000) + [
            LoadTrade(number: 0, buyer: 1, seller: 0, priceCents: 4_500_005, quantity: 1_000, buyerTakes: true)
        ] {
            let items = WireDecoder.decodeMessage(line.bytes(of: trade), source: "test")
            let decoded = try #require(items.first?.trade)
            #expect(items.count == 1)
            #expect(decoded.id.text == line.id(trade.number))
            #expect(LoadLine.number(of: decoded) == trade.number)
            #expect(decoded.market.text == "BTC/USDT")
            #expect(decoded.price == DecimalNumber(Int128(trade.priceCents), scale: 2))
            #expect(decoded.quantity == DecimalNumber(Int128(trade.quantity), scale: 8))
            #expect(decoded.buyer.text == LoadLine.accountID(trade.buyer))
            #expect(decoded.seller.text == LoadLine.accountID(trade.seller))
            #expect(decoded.taker == (trade.buyerTakes ? .buyer : .seller))
            #expect(decoded.buyerFee == DecimalNumber(Int128(trade.buyerFee), scale: 8))
            #expect(decoded.sellerFee == DecimalNumber(Int128(trade.sellerFee), scale: 6))
        }
    }
}
