import TradeModel

/// Events are written into the record as they happen. An account is named by its text, or by nothing where it is the
/// command's own.
extension MatchingEngine {
    /// No event has more bytes: a trade with five amounts of 17, three numbers of 9 and an account's id.
    private static let eventByteCountMax = 192

    @inline(__always) mutating func beginEvent(_ kind: UInt8, _ order: UInt64) -> ByteCursor {
        var cursor = output.cursor(reserving: Self.eventByteCountMax)
        cursor.byte(kind)
        cursor.compact(order)
        return cursor
    }

    @inline(__always) mutating func endEvent(_ cursor: ByteCursor) {
        output.advance(to: cursor)
        eventCount &+= 1
    }

    mutating func writeNew(_ order: UInt64) {
        endEvent(beginEvent(EngineOutput.EventKind.new, order))
    }

    mutating func writeHold(_ order: UInt64, _ asset: MarketAsset, _ amount: Int128) {
        var cursor = beginEvent(EngineOutput.EventKind.hold, order)
        cursor.byte(asset.rawValue)
        cursor.amount(amount)
        endEvent(cursor)
    }

    /// - Parameter account: nil for the command's own.
    mutating func writeRelease(_ order: UInt64, account: Int32?, _ asset: MarketAsset, _ amount: Int128) {
        var cursor = beginEvent(EngineOutput.EventKind.release, order)
        book.writeID(of: account, to: &cursor)
        cursor.byte(asset.rawValue)
        cursor.amount(amount)
        endEvent(cursor)
    }

    mutating func writeState(
        _ order: UInt64, account: Int32?, _ state: OrderState, _ cause: OrderStateCause, remaining: Int128
    ) {
        var cursor = beginEvent(EngineOutput.EventKind.state, order)
        book.writeID(of: account, to: &cursor)
        cursor.byte(state.rawValue)
        cursor.byte(cause.rawValue)
        cursor.amount(remaining)
        endEvent(cursor)
    }

    mutating func writeAmended(
        _ order: UInt64, _ market: UnsafeMutablePointer<MarketState>, _ terms: AmendedTerms, keepsPriority: Bool
    ) {
        var cursor = beginEvent(EngineOutput.EventKind.amended, order)
        cursor.amount(market.pointee.rules.priceUnits(terms.tick))
        cursor.amount(market.pointee.rules.baseUnits(terms.lots))
        cursor.amount(market.pointee.rules.baseUnits(terms.remaining))
        cursor.byte(keepsPriority ? 1 : 0)
        endEvent(cursor)
    }
}

/// What an amended order asks for.
struct AmendedTerms {
    var tick: Int64
    var lots: Int64
    var remaining: Int64
}
