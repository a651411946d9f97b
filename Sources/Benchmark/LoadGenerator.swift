import ServiceKit

/// A trade of the load, in whole numbers: prices in cents of the quote, quantities in hundred-millionths of the base.
struct LoadTrade: Hashable, Sendable {
    var number: Int
    /// Accounts by their place; those from ``LoadShape/accountCount`` on are poor.
    var buyer: Int
    var seller: Int
    var priceCents: Int
    var quantity: Int
    var buyerTakes: Bool

    /// What is paid, in millionths of the quote.
    var quote: Int { priceCents * quantity / 10_000 }
    /// A thousandth of what the taker receives.
    var buyerFee: Int { buyerTakes ? quantity / 1_000 : 0 }
    var sellerFee: Int { buyerTakes ? 0 : quote / 1_000 }
}

/// Trades that follow from a seed, each from its number alone: the same seed makes the same trades, in whatever order
/// they are asked for.
struct LoadGenerator: Sendable {
    let shape: LoadShape
    private let seed: UInt64
    private let zipf: AliasTable?

    /// A duplicate repeats one of so many messages before it.
    private static let duplicateDistanceMax = 10_000

    init(_ shape: LoadShape, seed: UInt64) {
        self.shape = shape
        self.seed = seed
        if case .zipf(let exponent) = shape.skew {
            zipf = .zipf(count: shape.accountCount, exponent: exponent)
        } else {
            zipf = nil
        }
    }

    /// The number of the trade that is sent at a place of the stream: the place itself, or that of an earlier trade.
    func number(at place: Int) -> Int {
        guard shape.duplicateBasisPoints > 0 else { return place }
        var place = place
        while place > 0 {
            var dice = generator(for: place, purpose: 1)
            guard Int.random(in: 0..<10_000, using: &dice) < shape.duplicateBasisPoints else { break }
            place -= Int.random(in: 1...min(place, Self.duplicateDistanceMax), using: &dice)
        }
        return place
    }

    func trade(_ number: Int) -> LoadTrade {
        var dice = generator(for: number, purpose: 0)
        let isUnfundable =
            shape.unfundableBasisPoints > 0
            && Int.random(in: 0..<10_000, using: &dice) < shape.unfundableBasisPoints
        var (buyer, seller) = parties(&dice)
        if isUnfundable {
            buyer = shape.accountCount + Int.random(in: 0..<LoadShape.poorAccountCount, using: &dice)
        }
        let bits = dice.next()
        return LoadTrade(
            number: number, buyer: buyer, seller: seller,
            // 45,000.00 to 55,000.00; 0.00001 to 0.05, of which a poor account's trade takes the upper part.
            priceCents: 4_500_000 + Int((bits >> 44) % 1_000_001),
            quantity: (isUnfundable ? 1_000_000 : 1_000) + Int((bits >> 16 & 0xfff_ffff) % 4_000_000),
            buyerTakes: bits & 1 == 0)
    }

    private func parties(_ dice: inout SeededGenerator) -> (buyer: Int, seller: Int) {
        switch shape.skew {
        case .uniform:
            return pair(below: shape.accountCount, &dice)
        case .ten:
            return pair(below: LoadShape.tenCount, &dice)
        case .hot:
            let bits = dice.next()
            guard Int((bits >> 8) % 100) < LoadShape.hotPercent else {
                let (buyer, seller) = pair(below: shape.accountCount - 1, &dice)
                return (buyer + 1, seller + 1)
            }
            let other = 1 + below(shape.accountCount - 1, &dice)
            return bits & 1 == 0 ? (0, other) : (other, 0)
        case .zipf:
            let buyer = zipf!.draw(using: &dice)
            var seller = buyer
            while seller == buyer { seller = zipf!.draw(using: &dice) }
            return (buyer, seller)
        }
    }

    /// Two different ones, each pair as often as every other.
    private func pair(below bound: Int, _ dice: inout SeededGenerator) -> (Int, Int) {
        let first = below(bound, &dice)
        let second = below(bound - 1, &dice)
        return (first, second < first ? second : second + 1)
    }

    /// Multiplying and shifting instead of dividing: far cheaper, and even enough for counts below a billion.
    private func below(_ bound: Int, _ dice: inout SeededGenerator) -> Int {
        Int(((dice.next() >> 32) * UInt64(bound)) >> 32)
    }

    private func generator(for number: Int, purpose: UInt64) -> SeededGenerator {
        SeededGenerator(seed: (seed &+ purpose) ^ (UInt64(number) &* 0xd1b5_4a32_d192_ed03))
    }
}
