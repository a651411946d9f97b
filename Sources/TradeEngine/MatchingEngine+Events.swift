import TradeModel

/// Events are written into the record as they happen. An account is named by its text, or by nothing where it is the
/// command's own.
extension MatchingEngine {
    mutating func writeNew(_ order: UInt64) {
        output.byte(EngineOutput.EventKind.new)
        output.compact(order)
        eventCount += 1
    }

    mutating func writeHold(_ order: UInt64, _ asset: MarketAsset, _ amount: Int128) {
        output.byte(EngineOutput.EventKind.hold)
        output.compact(order)
        output.byte(asset.rawValue)
        output.amount(amount)
        eventCount += 1
    }

    /// - Parameter account: nil for the command's own.
    mutating func writeRelease(_ order: UInt64, account: Int32?, _ asset: MarketAsset, _ amount: Int128) {
        output.byte(EngineOutput.EventKind.release)
        output.compact(order)
        writeAccount(account)
        output.byte(asset.rawValue)
        output.amount(amount)
        eventCount += 1
    }

    mutating func writeState(
        _ order: UInt64, account: Int32?, _ state: OrderState, _ cause: OrderStateCause, remaining: Int128
    ) {
        output.byte(EngineOutput.EventKind.state)
        output.compact(order)
        writeAccount(account)
        output.byte(state.rawValue)
        output.byte(cause.rawValue)
        output.amount(remaining)
        eventCount += 1
    }

    mutating func writeAmended(
        _ order: UInt64, _ market: UnsafeMutablePointer<MarketState>, _ terms: AmendedTerms, keepsPriority: Bool
    ) {
        output.byte(EngineOutput.EventKind.amended)
        output.compact(order)
        output.amount(market.pointee.rules.priceUnits(terms.tick))
        output.amount(market.pointee.rules.baseUnits(terms.lots))
        output.amount(market.pointee.rules.baseUnits(terms.remaining))
        output.byte(keepsPriority ? 1 : 0)
        eventCount += 1
    }

    mutating func writeAccount(_ account: Int32?) {
        if let account { output.text(book.text(account)) } else { output.byte(0) }
    }
}

/// What an amended order asks for.
struct AmendedTerms {
    var tick: Int64
    var lots: Int64
    var remaining: Int64
}
