import CommandKit
import TradeModel

/// What an engine wants to know of a new market beyond what the books do.
struct ListingOptions: ParameterGroup {
    @Option("--engine", help: "Add it to the engine that takes orders here; what follows the engine learns of it.")
    var engine: Endpoint?
    @Option("--quantity-min", "AMOUNT", help: "The smallest order. (default: one lot)") var quantityMin: DecimalNumber?
    @Option("--quantity-max", "AMOUNT", help: "The largest order. (default: a million lots)")
    var quantityMax: DecimalNumber?
    @Option("--price-max", "AMOUNT", help: "The highest price. (default: a hundred million ticks)")
    var priceMax: DecimalNumber?
    @Option("--maker-fee", "N", help: "What resting orders pay, in millionths. (default: 0)") var makerFee: Int?
    @Option("--taker-fee", "N", help: "What arriving orders pay, in millionths. (default: 0)") var takerFee: Int?

    func validate(isDry: Bool) throws {
        guard engine != nil else {
            let given = [
                ("--quantity-min", quantityMin != nil), ("--quantity-max", quantityMax != nil),
                ("--price-max", priceMax != nil), ("--maker-fee", makerFee != nil), ("--taker-fee", takerFee != nil),
            ]
            if let first = given.first(where: \.1) { throw UsageError("'\(first.0)' needs '--engine'") }
            return
        }
        if isDry { throw UsageError("an engine knows no '--dry-run'") }
        let range = -Int(TradingFees.millionthsMax)...Int(TradingFees.millionthsMax)
        for (name, fee) in [("--maker-fee", makerFee), ("--taker-fee", takerFee)] {
            if let fee, !range.contains(fee) {
                throw UsageError("'\(name)' is from \(range.lowerBound) to \(range.upperBound), not \(fee)")
            }
        }
    }

    func market(_ symbol: MarketSymbol, tick: DecimalNumber, lot: DecimalNumber, fees: FeeRule) -> MarketListing {
        func times(_ step: DecimalNumber, _ count: Int128) -> DecimalNumber {
            DecimalNumber(step.coefficient * count, scale: step.scale) ?? step
        }
        return MarketListing(
            symbol: symbol, tick: tick, lot: lot, quantityMin: quantityMin ?? lot,
            quantityMax: quantityMax ?? times(lot, 1_000_000), priceMax: priceMax ?? times(tick, 100_000_000),
            feeRule: fees, fees: [TradingFees(maker: Int32(makerFee ?? 0), taker: Int32(takerFee ?? 0))])
    }
}
