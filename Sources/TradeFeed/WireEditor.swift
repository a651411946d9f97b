import TradeModel

/// Makes another version of a message: some fields of its trade are given anew.
public enum WireEditor {
    /// One field and what it is to say; an empty text takes the field away.
    public struct Change: Hashable, Sendable {
        public let field: String
        public let text: String

        /// Returns nil when a trade has no such field.
        public init?(field: String, text: String) {
            guard WireEditor.fields.contains(field) else { return nil }
            self.field = field
            self.text = text
        }

        /// Why no trade can say this in the field; nil where one can.
        public var fault: String? {
            let sample = #"{"id":"1","market":"A/B","price":"1","quantity":"1","buyer_id":"1","seller_id":"2"}"#
            do throws(Rejection) {
                _ = try WireEditor.apply([self], to: Array(sample.utf8))
                return nil
            } catch { return error.message }
        }
    }

    /// The fields of a trade that can be given anew, as the wire calls them.
    public static let fields = WireField.allCases.filter { $0.belongs(to: .trade) }.map { "\($0.name)" }

    /// The trade that a message comes to with the changes, in canonical bytes.
    ///
    /// What the message says in fields that no trade has is left out; its stream and its sequence stay. Throws why the
    /// result is no trade, or why nobody can say which fields the message has. Where in the result it goes wrong is not
    /// said: nobody has seen those bytes.
    public static func apply(_ changes: [Change], to message: [UInt8]) throws(Rejection) -> [UInt8] {
        let fields = try message.withUnsafeBufferPointer { buffer throws(Rejection) in try Fields(of: buffer) }
        var writer = ObjectWriter()
        writer.open()
        if fields.texts[.stream] != nil || fields.texts[.sequence] != nil {
            writer.field(.version, number: 1)
            if let stream = fields.texts[.stream] { writer.field(.stream, text: stream) }
            if let sequence = fields.texts[.sequence].flatMap(Int64.init) { writer.field(.sequence, number: sequence) }
            writer.field(.type, text: "trade")
            writer.key(.trade)
            writer.open()
        }
        let given = Dictionary(changes.map { ($0.field, $0.text) }) { _, last in last }
        for field in WireField.allCases where field.belongs(to: .trade) {
            let text = given["\(field.name)"] ?? fields.texts[field]
            if let text, !text.isEmpty || given["\(field.name)"] == nil { writer.field(field, text: text) }
        }
        writer.close()
        if fields.texts[.stream] != nil || fields.texts[.sequence] != nil { writer.close() }
        do { return try canonical(writer.bytes) } catch {
            throw Rejection(error.failureClass, error.message.replacing(/\ \(byte \d+\)$/, with: ""))
        }
    }

    /// The one trade of a message in canonical bytes, or why it is none.
    public static func canonical(_ message: [UInt8]) throws(Rejection) -> [UInt8] {
        let items = WireDecoder.decodeMessage(message, source: "edit")
        guard items.count == 1 else { throw Rejection(.undecodable, "expected one trade, found \(items.count)") }
        switch items[0].subject {
        case .trade(let trade): return WireEncoder.encode(trade)
        case .refused(let refused): throw refused.rejection
        case .operation: throw Rejection(.undecodable, "expected a trade, found an operation")
        }
    }

    /// What a message says in the fields that we know, whether or not it makes sense.
    private struct Fields {
        var texts: [WireField: String] = [:]

        init(of message: UnsafeBufferPointer<UInt8>) throws(Rejection) {
            let object: WireObject
            guard message.count <= WireLimits.messageBytesMax else {
                throw Rejection(.undecodable, "what was received is too large to be read")
            }
            do throws(MalformedJSON) {
                var scanner = JSONScanner(message)
                scanner.skipWhitespace()
                guard scanner.next == UInt8(ascii: "{") else {
                    throw MalformedJSON(offset: 0, reason: "it is no object with fields")
                }
                object = try WireObject(reading: &scanner, as: nil, depth: 0, origin: 0)
                try scanner.finish()
            } catch {
                throw Rejection(.undecodable, "what was received cannot be read: \(error.reason)")
            }
            for field in WireField.allCases where field.belongs(to: .trade) || field == .stream || field == .sequence {
                if let text = object.text(of: field) { texts[field] = text }
            }
        }
    }
}

extension WireObject {
    /// What was written for a field that holds one value; a number with a point is never taken at its word.
    fileprivate func text(of field: WireField) -> String? {
        switch self[field].kind {
        case .integer, .string, .escapedString: scanner.text(of: self[field])
        case .absent, .null, .ambiguous, .boolean, .fraction, .object, .array: nil
        }
    }
}
