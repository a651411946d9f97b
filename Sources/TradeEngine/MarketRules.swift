import TradeModel

/// The rules of a market as the numbers that matching needs: prices in ticks, quantities in lots.
struct MarketRules {
    let tickUnits: Int64
    let priceDecimals: Int
    let lotCoefficient: Int64
    let lotScale: Int
    /// A lot in units of the base asset.
    let lotUnits: Int64
    let lotsMin: Int64
    let lotsMax: Int64
    let tickMin: Int64
    let tickMax: Int64
    /// One lot at one tick is worth so many units of quote, a fraction in lowest terms.
    let quoteFactor: Int64
    let quoteDivisor: Int64
    let baseDecimals: Int
    let quoteDecimals: Int
    let feeRule: FeeRule
    let selfTradeRule: SelfTradeRule
    let paysRebates: Bool

    static let tickLimit: Int64 = 1 << 36 - 1
    static let lotLimit: Int64 = 1 << 53

    /// Returns nil where the rules contradict themselves, or where amounts would be finer or larger than is possible.
    init?(_ listing: MarketListing, baseDecimals: Int, quoteDecimals: Int) {
        guard listing.tick.isPositive, listing.lot.isPositive, listing.tick.scale <= Asset.decimalsMax,
            let tickUnits = Int64(exactly: listing.tick.coefficient),
            let lotCoefficient = Int64(exactly: listing.lot.coefficient),
            let lotUnits = listing.lot.amount(decimals: baseDecimals).flatMap({ Int64(exactly: $0.units) }),
            let tickMax = Self.multiple(listing.priceMax, of: listing.tick), tickMax <= Self.tickLimit,
            let lotsMin = Self.multiple(listing.quantityMin, of: listing.lot),
            let lotsMax = Self.multiple(listing.quantityMax, of: listing.lot), lotsMin <= lotsMax,
            lotsMax <= Self.lotLimit
        else { return nil }
        let range = -TradingFees.millionthsMax...TradingFees.millionthsMax
        guard !listing.fees.isEmpty, listing.fees.allSatisfy({ range ~= $0.maker && range ~= $0.taker }) else {
            return nil
        }
        let exponent = quoteDecimals - listing.tick.scale - listing.lot.scale
        let (worth, overflow) = (listing.tick.coefficient * listing.lot.coefficient).multipliedReportingOverflow(
            by: powerOfTen(max(exponent, 0)))
        guard !overflow else { return nil }
        let divisor = powerOfTen(max(-exponent, 0))
        let common = greatestCommonDivisor(worth, divisor)
        guard let quoteFactor = Int64(exactly: worth / common),
            let quoteDivisor = Int64(exactly: divisor / common), quoteDivisor <= Self.divisorLimit
        else { return nil }
        // The lowest price at which one lot, the smallest trade there can be, costs at least one unit.
        let tickMin = (quoteDivisor - 1) / quoteFactor + 1
        guard tickMin <= tickMax else { return nil }
        self.tickUnits = tickUnits
        priceDecimals = listing.tick.scale
        self.lotCoefficient = lotCoefficient
        lotScale = listing.lot.scale
        self.lotUnits = lotUnits
        self.lotsMin = lotsMin
        self.lotsMax = lotsMax
        self.tickMin = tickMin
        self.tickMax = tickMax
        self.quoteFactor = quoteFactor
        self.quoteDivisor = quoteDivisor
        self.baseDecimals = baseDecimals
        self.quoteDecimals = quoteDecimals
        feeRule = listing.feeRule
        selfTradeRule = listing.selfTradeRule
        paysRebates = listing.fees.contains { $0.maker < 0 || $0.taker < 0 }
    }

    private static let divisorLimit: Int64 = 1_000_000_000_000_000_000

    /// How often a step goes into a number, if it is positive and goes in without a rest.
    private static func multiple(_ number: DecimalNumber, of step: DecimalNumber) -> Int64? {
        guard number.isPositive, number.scale <= step.scale, let units = number.amount(decimals: step.scale),
            units.units % step.coefficient == 0
        else { return nil }
        return Int64(exactly: units.units / step.coefficient)
    }
}

private func greatestCommonDivisor(_ left: Int128, _ right: Int128) -> Int128 {
    var (left, right) = (left, right)
    while right != 0 { (left, right) = (right, left % right) }
    return left
}

extension MarketRules {
    /// A price in ticks, if the market has it.
    @inline(__always) func ticks(_ price: DecimalNumber) throws(RejectReason) -> Int64 {
        guard price.scale <= priceDecimals else { throw .priceOffTick }
        guard let units = scaled(price, to: priceDecimals) else { throw .priceOutOfRange }
        let ticks = tickUnits == 1 ? units : units / tickUnits
        guard tickUnits == 1 || ticks * tickUnits == units else { throw .priceOffTick }
        guard ticks >= tickMin, ticks <= tickMax else { throw .priceOutOfRange }
        return ticks
    }

    /// A quantity in lots, if an order of the market may have it.
    @inline(__always) func lots(_ quantity: DecimalNumber) throws(RejectReason) -> Int64 {
        guard quantity.isPositive else { throw .quantityTooSmall }
        guard quantity.scale <= lotScale else { throw .quantityOffLot }
        guard let units = scaled(quantity, to: lotScale) else { throw .quantityTooLarge }
        let lots = lotCoefficient == 1 ? units : units / lotCoefficient
        guard lotCoefficient == 1 || lots * lotCoefficient == units else { throw .quantityOffLot }
        guard lots >= lotsMin else { throw .quantityTooSmall }
        guard lots <= lotsMax else { throw .quantityTooLarge }
        return lots
    }

    @inline(__always) private func scaled(_ number: DecimalNumber, to scale: Int) -> Int64? {
        guard let narrow = Int64(exactly: number.coefficient) else { return nil }
        let (units, overflow) = narrow.multipliedReportingOverflow(by: narrowPowers[scale - number.scale])
        return overflow ? nil : units
    }

    @inline(__always) func baseUnits(_ lots: Int64) -> Int128 { wide(lots, lotUnits) }
    @inline(__always) func priceUnits(_ tick: Int64) -> Int128 { wide(tick, tickUnits) }

    /// Price times quantity in units of quote, rounded down; nil where 128 bits cannot hold what comes before rounding.
    @inline(__always) func quote(_ tick: Int64, _ lots: Int64) -> Int128? {
        product(tick, lots).map { quoteDivisor == 1 ? $0 : divided($0) }
    }

    /// The same rounded up, for what is held.
    @inline(__always) func quoteRoundedUp(_ tick: Int64, _ lots: Int64) -> Int128? {
        guard let product = product(tick, lots) else { return nil }
        guard quoteDivisor > 1 else { return product }
        let (raised, overflow) = product.addingReportingOverflow(Int128(quoteDivisor - 1))
        return overflow ? nil : divided(raised)
    }

    @inline(__always) private func product(_ tick: Int64, _ lots: Int64) -> Int128? {
        let worth = wide(tick, lots)
        if quoteFactor == 1 { return worth }
        // Nearly always 64 bits are enough.
        if let narrow = Int64(exactly: worth) { return wide(narrow, quoteFactor) }
        let (product, overflow) = worth.multipliedReportingOverflow(by: Int128(quoteFactor))
        return overflow ? nil : product
    }

    @inline(__always) private func divided(_ product: Int128) -> Int128 {
        if let narrow = Int64(exactly: product) { return Int128(narrow / quoteDivisor) }
        return product / Int128(quoteDivisor)
    }

    /// What is held for an order in the book: what the rest of it may still cost.
    @inline(__always) fileprivate func need(_ side: OrderSide, _ tick: Int64, _ lots: Int64, rate: Int32) -> Int128? {
        guard side == .buy else { return baseUnits(lots) }
        guard let quote = quoteRoundedUp(tick, lots), quote <= Amount.maximum.units else { return nil }
        guard feeRule == .quote, rate > 0 else { return quote }
        let need = quote + fee(quote, rate)
        return need <= Amount.maximum.units ? need : nil
    }
}

extension UnsafeMutablePointer<MarketState> {
    /// What is held for an order in the book: what the rest of it may still cost. Asked where the market lies, since a
    /// call on the rules themselves, or on the market, copies them for it.
    func need(_ side: OrderSide, _ tick: Int64, _ lots: Int64, rate: Int32) -> Int128? {
        pointee.rules.need(side, tick, lots, rate: rate)
    }
}

/// A fee of so many millionths, rounded towards zero: neither side is charged, nor given, a fraction more.
@inline(__always) func fee(_ amount: Int128, _ millionths: Int32) -> Int128 {
    if millionths == 0 { return 0 }
    let rate = Int64(millionths)
    if let narrow = Int64(exactly: amount), narrow < 1 << 42 { return Int128(narrow * rate / 1_000_000) }
    // In two parts, so that nothing overflows: rate × million·a + rate × b.
    let (millions, rest) = amount.quotientAndRemainder(dividingBy: 1_000_000)
    return millions * Int128(rate) + Int128(Int64(rest) * rate / 1_000_000)
}

@inline(__always) private func wide(_ left: Int64, _ right: Int64) -> Int128 {
    let (high, low) = left.multipliedFullWidth(by: right)
    return Int128(_low: low, _high: high)
}

private let narrowPowers: [Int64] = [
    1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000, 10_000_000_000,
    100_000_000_000, 1_000_000_000_000, 10_000_000_000_000, 100_000_000_000_000, 1_000_000_000_000_000,
    10_000_000_000_000_000, 100_000_000_000_000_000, 1_000_000_000_000_000_000,
]
