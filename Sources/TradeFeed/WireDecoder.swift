import TradeModel

/// Reads wire version 1 (`docs/wire.md`).
///
/// Whatever the bytes are, the answer holds all of them: as trades, or as refusals that say what is wrong and where.
/// Byte offsets in a refusal count from the start of its payload.
public enum WireDecoder {
    /// A message is one trade or an array of them; an empty array is nothing.
    ///
    /// In an array, a bad element refuses only itself. An array that is not JSON is refused in whole: where one
    /// element is unreadable, nobody knows where the next begins.
    public static func decodeMessage(_ bytes: [UInt8], source: String) -> [SettlementItem] {
        let origin = SettlementItem.Origin.message(source)
        if let rejection = sizeFault(of: bytes) {
            return [SettlementItem(.refused(RefusedMessage(rejection)), origin: origin, payload: bytes)]
        }
        do {
            return try bytes.withUnsafeBufferPointer { (buffer) throws(MalformedJSON) in
                var scanner = JSONScanner(buffer)
                scanner.skipWhitespace()
                guard scanner.next == UInt8(ascii: "[") else {
                    return [SettlementItem(try onlyTrade(&scanner), origin: origin, payload: bytes)]
                }
                return try elements(&scanner, origin: origin)
            }
        } catch {
            return [SettlementItem(.refused(RefusedMessage(error.rejection)), origin: origin, payload: bytes)]
        }
    }

    /// A message of several parts is refused in whole, whatever the parts hold.
    public static func decodeMessage(_ message: IntakeMessage, source: String) -> [SettlementItem] {
        guard message.parts != 1 else { return decodeMessage(message.bytes, source: source) }
        var words = "a message of \(message.parts) parts, expected one"
        if message.byteCount > message.bytes.count {
            words += "; the first \(message.bytes.count) of \(message.byteCount) bytes are kept"
        }
        let refusal = RefusedMessage(Rejection(.undecodable, words))
        return [SettlementItem(.refused(refusal), origin: .message(source), payload: message.bytes)]
    }

    /// A line of a file is one trade, never an array; nil when there is nothing on it.
    public static func decodeLine(_ bytes: [UInt8], source: String) -> SettlementItem? {
        guard !isBlank(bytes) else { return nil }
        let subject: SettlementItem.Subject
        if let rejection = sizeFault(of: bytes) {
            subject = .refused(RefusedMessage(rejection))
        } else {
            do {
                subject = try bytes.withUnsafeBufferPointer { (buffer) throws(MalformedJSON) in
                    var scanner = JSONScanner(buffer)
                    scanner.skipWhitespace()
                    return try onlyTrade(&scanner)
                }
            } catch {
                subject = .refused(RefusedMessage(error.rejection))
            }
        }
        return SettlementItem(subject, origin: .message(source), payload: bytes)
    }

    /// The trade of a line, and whether it says the fees, which are none where it does not; nil when there is nothing
    /// on it.
    public static func decodeStatedLine(_ bytes: [UInt8]) -> Result<StatedLine, Rejection>? {
        decodeLine(bytes, as: nil) { (object) throws(Rejection) in
            StatedLine(
                trade: try object.trade(), saysBuyerFee: object.has(.buyerFee), saysSellerFee: object.has(.sellerFee))
        }
    }

    /// The fields of a line that is an object without objects or arrays in it, in their order, whatever they are
    /// called; nil for null.
    public static func decodeFlatLine(_ bytes: [UInt8]) -> Result<[(name: String, text: String?)], Rejection> {
        if let rejection = sizeFault(of: bytes) { return .failure(rejection) }
        return bytes.withUnsafeBufferPointer { buffer in
            Result { () throws(Rejection) in
                do throws(MalformedJSON) {
                    var scanner = JSONScanner(buffer)
                    scanner.skipWhitespace()
                    return try flatFields(&scanner)
                } catch {
                    throw error.rejection
                }
            }
        }
    }

    private static func flatFields(
        _ scanner: inout JSONScanner
    ) throws(MalformedJSON) -> [(name: String, text: String?)] {
        guard scanner.next == UInt8(ascii: "{") else {
            throw MalformedJSON(offset: scanner.index, reason: "expected an object")
        }
        var fields: [(name: String, text: String?)] = []
        try scanner.members(depth: 0) { (scanner, key) throws(MalformedJSON) in
            let name = scanner.text(of: key)
            let token = try scanner.value(depth: 1)
            switch token.kind {
            case .object, .array:
                throw MalformedJSON(offset: token.offset, reason: "\(name): expected a text, a number or null")
            case .null: fields.append((name, nil))
            default: fields.append((name, scanner.text(of: token)))
            }
        }
        try scanner.finish()
        return fields
    }

    /// A line of a file of deposits or of withdrawals; nil when there is nothing on it.
    public static func decodeOperationLine(
        _ bytes: [UInt8], kind: TradeModel.Operation.Kind
    ) -> Result<TradeModel.Operation, Rejection>? {
        decodeLine(bytes, as: .operation) { (object) throws(Rejection) in try object.operation(kind) }
    }

    /// What is made of a line that is one object; nil when there is nothing on it.
    private static func decodeLine<Content>(
        _ bytes: [UInt8], as form: WireField.Form?, _ content: (WireObject) throws(Rejection) -> Content
    ) -> Result<Content, Rejection>? {
        guard !isBlank(bytes) else { return nil }
        if let rejection = sizeFault(of: bytes) { return .failure(rejection) }
        return bytes.withUnsafeBufferPointer { buffer in
            Result { () throws(Rejection) in
                let object: WireObject
                do throws(MalformedJSON) {
                    var scanner = JSONScanner(buffer)
                    scanner.skipWhitespace()
                    object = try WireObject(reading: &scanner, as: form, depth: 0, origin: 0)
                    try scanner.finish()
                } catch {
                    throw error.rejection
                }
                return try content(object)
            }
        }
    }

    private static func sizeFault(of bytes: [UInt8]) -> Rejection? {
        guard bytes.count > WireLimits.messageBytesMax else { return nil }
        return Rejection(
            .undecodable, "\(bytes.count) bytes, a message has at most \(WireLimits.messageBytesMax)")
    }

    private static func isBlank(_ bytes: [UInt8]) -> Bool {
        bytes.withUnsafeBufferPointer { buffer in
            var scanner = JSONScanner(buffer)
            scanner.skipWhitespace()
            return scanner.isAtEnd
        }
    }

    private static func onlyTrade(_ scanner: inout JSONScanner) throws(MalformedJSON) -> SettlementItem.Subject {
        let subject = try trade(&scanner, depth: 0, origin: 0)
        try scanner.finish()
        return subject
    }

    private static func elements(
        _ scanner: inout JSONScanner, origin: SettlementItem.Origin
    ) throws(MalformedJSON) -> [SettlementItem] {
        var items: [SettlementItem] = []
        // Growing moves what is there; a trade seldom takes less than this.
        items.reserveCapacity(min(scanner.bytes.count / 128, WireLimits.arrayElementsMax))
        try scanner.elements(depth: 0) { (scanner) throws(MalformedJSON) in
            let start = scanner.index
            guard items.count < WireLimits.arrayElementsMax else {
                throw MalformedJSON(
                    offset: start, reason: "more than \(WireLimits.arrayElementsMax) trades in one message")
            }
            let subject = try trade(&scanner, depth: 1, origin: start)
            let payload = Array(scanner.bytes[start..<scanner.index])
            items.append(SettlementItem(subject, origin: origin, payload: payload))
        }
        try scanner.finish()
        return items
    }

    private static func trade(
        _ scanner: inout JSONScanner, depth: Int, origin: Int
    ) throws(MalformedJSON) -> SettlementItem.Subject {
        let object = try WireObject(reading: &scanner, as: nil, depth: depth, origin: origin)
        do {
            return .trade(try object.trade())
        } catch {
            return .refused(object.refused(error))
        }
    }
}

/// A trade as a line of a file says it.
public struct StatedLine: Sendable {
    public let trade: Trade
    public let saysBuyerFee: Bool
    public let saysSellerFee: Bool
}

extension MalformedJSON {
    fileprivate var rejection: Rejection {
        Rejection(.undecodable, "\(reason) (byte \(offset))")
    }
}
