import Repository
import TradeModel

/// What a column of a file, or a field of its records, says of a trade.
enum TradeFileField: CaseIterable {
    case market, id, price, quantity, buyer, seller, buyerFee, sellerFee, buyOrder, sellOrder, taker, executedAt
    case committedAt, stream, sequence

    /// What it may be called; messages name the first.
    var names: [String] {
        switch self {
        case .market: ["market", "symbol"]
        case .id: ["trade_id", "id"]
        case .price: ["price"]
        case .quantity: ["quantity"]
        case .buyer: ["buyer_id", "buyer"]
        case .seller: ["seller_id", "seller"]
        case .buyerFee: ["buyer_fee"]
        case .sellerFee: ["seller_fee"]
        case .buyOrder: ["buy_order_id"]
        case .sellOrder: ["sell_order_id"]
        case .taker: ["taker"]
        case .executedAt: ["executed_at"]
        case .committedAt: ["committed_at"]
        case .stream: ["stream"]
        case .sequence: ["seq", "stream_seq"]
        }
    }

    init?(named name: String) {
        let name = name.trimmingBlanks.lowercased()
        guard let field = Self.allCases.first(where: { $0.names.contains(name) }) else { return nil }
        self = field
    }

    /// What exports of this program say besides, which follows from the rest or is of the books alone.
    static let passedOver: Set<String> = ["batch", "batch_no", "quote", "received_at", "settled_at", "status"]
}

/// Why a record says no trade.
struct UnreadableTrade: Error {
    let words: String
}

extension StatedTrade {
    /// Reads the texts of a record; an empty one says nothing.
    ///
    /// - Parameter market: the market of records that name none.
    init(
        _ texts: [(field: TradeFileField, text: String)], place: Int64, market: MarketSymbol?
    ) throws(UnreadableTrade) {
        let texts = texts.filter { !$0.text.trimmingBlanks.isEmpty }
        func text(_ field: TradeFileField) -> String? { texts.first { $0.field == field }?.text }
        func read<Value>(
            _ field: TradeFileField, _ expected: String, _ value: (String) -> Value?
        ) throws(UnreadableTrade) -> Value? {
            guard let text = text(field) else { return nil }
            if let value = value(text) { return value }
            throw UnreadableTrade(words: "\(field.names[0]): '\(text.prefix(40))' is no \(expected)")
        }
        func number(_ field: TradeFileField) throws(UnreadableTrade) -> DecimalNumber? {
            try read(field, "decimal such as 12.50 of at most 38 digits") { DecimalNumber($0.trimmingBlanks) }
        }
        func id(_ field: TradeFileField) throws(UnreadableTrade) -> Identifier? {
            try read(field, "id of 1 to 64 bytes without control characters") { Identifier($0) }
        }
        func time(_ field: TradeFileField) throws(UnreadableTrade) -> Timestamp? {
            try read(field, "time such as 2026-01-02T03:04:05.678901Z") { Timestamp($0.withWholeOffset) }
        }
        guard let market = try read(.market, "market such as BTC/USDT", { MarketSymbol($0.trimmingBlanks) }) ?? market
        else { throw UnreadableTrade(words: "it names no market; '--market' says which is meant") }
        guard let name = try id(.id) else { throw UnreadableTrade(words: "it has no trade_id") }
        self.init(place: place, market: market, id: name)
        (price, quantity) = (try number(.price), try number(.quantity))
        (buyer, seller) = (try id(.buyer), try id(.seller))
        (buyerFee, sellerFee) = (try number(.buyerFee), try number(.sellerFee))
        (buyOrder, sellOrder) = (try id(.buyOrder), try id(.sellOrder))
        taker = try read(.taker, "side: buyer or seller") { Side(rawValue: $0.trimmingBlanks.lowercased()) }
        (executedAt, committedAt) = (try time(.executedAt), try time(.committedAt))
        stream = try id(.stream)
        sequence = try read(.sequence, "number of a record") { Int64($0.trimmingBlanks) }
    }
}

extension String {
    fileprivate var trimmingBlanks: String {
        func isBlank(_ byte: UInt8?) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }
        guard isBlank(utf8.first) || isBlank(utf8.last) else { return self }
        return String(drop { $0 == " " || $0 == "\t" }.reversed().drop { $0 == " " || $0 == "\t" }.reversed())
    }

    /// PostgreSQL writes an offset in whole hours without minutes.
    fileprivate var withWholeOffset: String {
        let text = trimmingBlanks
        // Written with Z as a rule.
        guard !text.hasSuffix("Z") else { return text }
        return text.contains(/:\d\d(\.\d+)?[+-]\d\d$/.asciiOnlyDigits()) ? text + ":00" : text
    }
}
