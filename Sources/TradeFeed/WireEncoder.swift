import TradeModel

/// Writes wire version 1 in one canonical form: what is equal is written with equal bytes.
///
/// Fields stand in the order of `docs/wire.md`, ids as strings, decimals without trailing zeros, both fees always;
/// what is not known is left out. Decoding gives back what was encoded.
public enum WireEncoder {
    /// With its envelope where the stream or the sequence is known, else the trade alone.
    public static func encode(_ trade: Trade) -> [UInt8] {
        var writer = ObjectWriter()
        guard trade.stream != nil || trade.sequence != nil else {
            writer.write(trade)
            return writer.bytes
        }
        writer.open()
        writer.field(.version, number: 1)
        if let stream = trade.stream { writer.field(.stream, text: stream.text) }
        if let sequence = trade.sequence { writer.field(.sequence, number: sequence) }
        writer.field(.type, text: "trade")
        writer.key(.trade)
        writer.write(trade)
        writer.close()
        return writer.bytes
    }

    /// A line of a file of deposits or withdrawals, without its line feed. The kind is the file's, not the line's.
    public static func encode(_ operation: TradeModel.Operation) -> [UInt8] {
        var writer = ObjectWriter()
        writer.open()
        writer.field(.id, text: operation.key.text)
        writer.field(.accountID, text: operation.account.text)
        writer.field(.asset, text: operation.asset.text)
        writer.field(.amount, text: operation.amount.description)
        writer.close()
        return writer.bytes
    }
}

/// Writes objects of the wire field by field.
struct ObjectWriter {
    private(set) var bytes: [UInt8] = []

    init() {
        bytes.reserveCapacity(384)
    }

    mutating func open() {
        bytes.append(UInt8(ascii: "{"))
    }

    mutating func close() {
        bytes.append(UInt8(ascii: "}"))
    }

    mutating func write(_ trade: Trade) {
        open()
        field(.id, text: trade.id.text)
        field(.market, text: trade.market.text)
        field(.price, text: trade.price.description)
        field(.quantity, text: trade.quantity.description)
        field(.buyerID, text: trade.buyer.text)
        field(.sellerID, text: trade.seller.text)
        if let order = trade.buyOrder { field(.buyOrderID, text: order.text) }
        if let order = trade.sellOrder { field(.sellOrderID, text: order.text) }
        if let taker = trade.taker { field(.taker, text: taker.rawValue) }
        field(.buyerFee, text: trade.buyerFee.description)
        field(.sellerFee, text: trade.sellerFee.description)
        if let time = trade.executedAt { field(.executedAt, text: time.description) }
        close()
    }

    mutating func field(_ field: WireField, number: Int64) {
        key(field)
        bytes.append(contentsOf: String(number).utf8)
    }

    /// The text may hold anything, control characters included.
    mutating func field(_ field: WireField, text: String) {
        key(field)
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes += [UInt8(ascii: "\\"), byte]
            case 0..<0x20:
                let digits = String(byte, radix: 16)
                bytes += Array("\\u\(String(repeating: "0", count: 4 - digits.count))\(digits)".utf8)
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    mutating func key(_ field: WireField) {
        if bytes.last != UInt8(ascii: "{") { bytes.append(UInt8(ascii: ",")) }
        bytes.append(UInt8(ascii: "\""))
        let name = field.name
        bytes.append(contentsOf: UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
        bytes.append(UInt8(ascii: "\""))
        bytes.append(UInt8(ascii: ":"))
    }
}
