import TradeModel

extension WireObject {
    /// The trade, or why it cannot be one.
    func trade() throws(Rejection) -> Trade {
        if let fault { throw fault }
        return Trade(
            id: try identifier(.id), market: try market(), price: try positive(.price),
            quantity: try positive(.quantity), buyer: try identifier(.buyerID), seller: try identifier(.sellerID),
            buyOrder: try optional(.buyOrderID, identifier), sellOrder: try optional(.sellOrderID, identifier),
            taker: try optional(.taker, side), buyerFee: try optional(.buyerFee, decimal) ?? .zero,
            sellerFee: try optional(.sellerFee, decimal) ?? .zero, executedAt: try optional(.executedAt, time),
            stream: try optional(.stream, identifier), sequence: try optional(.sequence, sequence))
    }

    func operation(_ kind: Operation.Kind) throws(Rejection) -> Operation {
        if let fault { throw fault }
        return Operation(
            key: try identifier(.id), kind: kind, account: try identifier(.accountID), asset: try asset(),
            amount: try positive(.amount))
    }

    /// A refused trade with as much of it as is fit to be stored.
    func refused(_ rejection: Rejection) -> RefusedMessage {
        let market = label(.market)
        return RefusedMessage(
            rejection, market: market.map { MarketSymbol($0)?.text ?? $0 }, tradeID: label(.id),
            buyer: label(.buyerID), seller: label(.sellerID))
    }

    private func label(_ field: WireField) -> String? {
        guard has(field), field.accepts(self[field].kind) else { return nil }
        return Identifier(identifierText(self[field]))?.text
    }

    private func optional<Value>(
        _ field: WireField, _ value: (WireField) throws(Rejection) -> Value
    ) throws(Rejection) -> Value? {
        has(field) ? try value(field) : nil
    }

    private func identifier(_ field: WireField) throws(Rejection) -> Identifier {
        let text = identifierText(self[field])
        if let identifier = Identifier(text) {
            guard !identifier.hasOuterBlanks else {
                throw invalid(field, "an id must not begin or end with a blank")
            }
            return identifier
        }
        switch text.utf8.count {
        case 0: throw invalid(field, "an id must not be empty")
        case 1...Identifier.byteCountMax: throw invalid(field, "an id must not hold control characters")
        case let count: throw invalid(field, "an id has at most \(Identifier.byteCountMax) bytes, this one \(count)")
        }
    }

    /// An integer is the id that its digits spell; minus zero is zero.
    private func identifierText(_ token: JSONToken) -> String {
        token.kind == .integer && scanner.text(of: token, is: "-0") ? "0" : scanner.text(of: token)
    }

    private func market() throws(Rejection) -> MarketSymbol {
        let token = self[.market]
        if let market = scanner.withText(of: token, { MarketSymbol(utf8: $0) }) { return market }
        throw invalid(.market, "\(quoted(scanner.text(of: token))) is no market; one is written BASE/QUOTE")
    }

    private func asset() throws(Rejection) -> AssetSymbol {
        let text = scanner.text(of: self[.asset])
        if let asset = AssetSymbol(text) { return asset }
        throw invalid(.asset, "\(quoted(text)) is no asset; one has 1 to 16 letters, digits or points")
    }

    private func positive(_ field: WireField) throws(Rejection) -> DecimalNumber {
        let value = try decimal(field)
        guard value.isPositive else { throw invalid(field, "must be greater than zero, is \(value)") }
        return value
    }

    private func decimal(_ field: WireField) throws(Rejection) -> DecimalNumber {
        if let value = scanner.withText(of: self[field], { DecimalNumber(utf8: $0) }) { return value }
        throw invalid(
            field, "\(quoted(scanner.text(of: self[field]))) is no decimal such as \"12.50\" of at most 38 digits")
    }

    private func side(_ field: WireField) throws(Rejection) -> Side {
        let text = scanner.text(of: self[field])
        if let side = Side(rawValue: text) { return side }
        throw invalid(field, "expected \"buyer\" or \"seller\", found \(quoted(text))")
    }

    private func time(_ field: WireField) throws(Rejection) -> Timestamp {
        // An offset can carry a time over either edge of what can be written again.
        if let time = scanner.withText(of: self[field], { Timestamp(utf8: $0) }),
            (0..<yearTenThousand).contains(time.microseconds)
        {
            return time
        }
        throw invalid(
            field, "\(quoted(scanner.text(of: self[field]))) is no time such as \"2026-01-02T03:04:05.678901Z\"")
    }

    private func sequence(_ field: WireField) throws(Rejection) -> Int64 {
        let text = scanner.text(of: self[field])
        if let sequence = Int64(text), sequence >= 0 { return sequence }
        throw invalid(field, "expected 0 to \(Int64.max), found \(excerpt(text))")
    }

    private func invalid(_ field: WireField, _ words: String) -> Rejection {
        Rejection(.invalid, "\(path(field)): \(words) (byte \(self[field].offset - origin))")
    }
}

/// Microseconds at which four digits no longer write the year.
private let yearTenThousand: Int64 = 253_402_300_800_000_000
