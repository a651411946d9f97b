/// The fields of wire version 1, with the objects they stand in.
enum WireField: Int, CaseIterable {
    case version, stream, sequence, type, trade
    case id, market, price, quantity, buyerID, sellerID
    case buyOrderID, sellOrderID, taker, buyerFee, sellerFee, executedAt
    case accountID, asset, amount

    static let count = 20

    /// The object that a field may stand in.
    enum Form {
        case envelope, trade, operation
    }

    /// What a field holds.
    enum Content {
        case identifier, text, decimal, integer, object
    }

    var name: StaticString {
        switch self {
        case .version: "v"
        case .stream: "stream"
        case .sequence: "seq"
        case .type: "type"
        case .trade: "trade"
        case .id: "id"
        case .market: "market"
        case .price: "price"
        case .quantity: "quantity"
        case .buyerID: "buyer_id"
        case .sellerID: "seller_id"
        case .buyOrderID: "buy_order_id"
        case .sellOrderID: "sell_order_id"
        case .taker: "taker"
        case .buyerFee: "buyer_fee"
        case .sellerFee: "seller_fee"
        case .executedAt: "executed_at"
        case .accountID: "account_id"
        case .asset: "asset"
        case .amount: "amount"
        }
    }

    var content: Content {
        switch self {
        case .version, .sequence: .integer
        case .type, .market, .taker, .executedAt, .asset: .text
        case .trade: .object
        case .stream, .id, .buyerID, .sellerID, .buyOrderID, .sellOrderID, .accountID: .identifier
        case .price, .quantity, .buyerFee, .sellerFee, .amount: .decimal
        }
    }

    var isRequired: Bool {
        switch self {
        case .stream, .sequence, .buyOrderID, .sellOrderID, .taker, .buyerFee, .sellerFee, .executedAt: false
        default: true
        }
    }

    static let requiredInEnvelope: [WireField] = [.version, .type, .trade]
    static let requiredInTrade: [WireField] = [.id, .market, .price, .quantity, .buyerID, .sellerID]
    static let requiredInOperation: [WireField] = [.id, .accountID, .asset, .amount]

    func belongs(to form: Form) -> Bool {
        switch self {
        case .version, .stream, .sequence, .type, .trade: form == .envelope
        case .id: form != .envelope
        case .accountID, .asset, .amount: form == .operation
        default: form == .trade
        }
    }

    func accepts(_ kind: JSONToken.Kind) -> Bool {
        switch kind {
        case .null: !isRequired
        case .integer: content == .identifier || content == .integer
        case .string, .escapedString: content == .identifier || content == .text || content == .decimal
        case .object: content == .object
        default: false
        }
    }

    /// Length and first letter leave one candidate, which is then compared.
    init?(named name: UnsafeBufferPointer<UInt8>) {
        let field: WireField
        switch (name.count, name.first) {
        case (1, UInt8(ascii: "v")): field = .version
        case (2, UInt8(ascii: "i")): field = .id
        case (3, UInt8(ascii: "s")): field = .sequence
        case (4, UInt8(ascii: "t")): field = .type
        case (5, UInt8(ascii: "p")): field = .price
        case (5, UInt8(ascii: "a")): field = .asset
        case (5, UInt8(ascii: "t")): field = name[1] == UInt8(ascii: "r") ? .trade : .taker
        case (6, UInt8(ascii: "m")): field = .market
        case (6, UInt8(ascii: "s")): field = .stream
        case (6, UInt8(ascii: "a")): field = .amount
        case (8, UInt8(ascii: "q")): field = .quantity
        case (8, UInt8(ascii: "b")): field = .buyerID
        case (9, UInt8(ascii: "s")): field = .sellerID
        case (9, UInt8(ascii: "b")): field = .buyerFee
        case (10, UInt8(ascii: "s")): field = .sellerFee
        case (10, UInt8(ascii: "a")): field = .accountID
        case (11, UInt8(ascii: "e")): field = .executedAt
        case (12, UInt8(ascii: "b")): field = .buyOrderID
        case (13, UInt8(ascii: "s")): field = .sellOrderID
        default: return nil
        }
        let expected = UnsafeBufferPointer(start: field.name.utf8Start, count: name.count)
        if name.count >= 8 {
            // Two words, which overlap in a name shorter than 16.
            guard name.word(at: 0) == expected.word(at: 0),
                name.word(at: name.count - 8) == expected.word(at: name.count - 8)
            else { return nil }
        } else {
            for offset in 0..<name.count where name[offset] != expected[offset] { return nil }
        }
        self = field
    }
}
