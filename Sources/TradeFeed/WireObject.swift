import TradeModel

/// One JSON object of the wire, read for its shape: where each field's value lies, and the first thing wrong with it.
///
/// A fault does not end the reading, since the id and the market may come after it and name what is refused.
/// Values are looked at only when the shape is right (`WireObject+Values.swift`).
struct WireObject {
    /// The text that the tokens lie in.
    var scanner: JSONScanner
    /// Where the object begins; faults are told by the distance from here.
    let origin: Int
    private(set) var fault: Rejection?
    private var tokens = InlineArray<20, JSONToken>(repeating: .absent)
    private var hasEnvelope = false

    /// Passes over one value, which should be an object of the form; nil means a trade with its envelope or without.
    init(
        reading scanner: inout JSONScanner, as form: WireField.Form?, depth: Int, origin: Int
    ) throws(MalformedJSON) {
        self.scanner = scanner
        self.origin = origin
        guard scanner.next == UInt8(ascii: "{") else {
            let found = try scanner.value(depth: depth)
            let expected = form == .operation ? "an operation (an object)" : "a trade (an object)"
            note("expected \(expected), found \(found.kind.words)", at: found.offset)
            return
        }
        try read(&scanner, as: form, depth: depth)
    }

    /// Whether anything was written for the field.
    func has(_ field: WireField) -> Bool {
        switch self[field].kind {
        case .absent, .null, .ambiguous: false
        default: true
        }
    }

    subscript(field: WireField) -> JSONToken { tokens[field.rawValue] }

    /// The field as a reader of the message would call it: `trade.price` in an envelope, else `price`.
    func path(_ field: WireField) -> String {
        hasEnvelope && field.belongs(to: .trade) ? "trade.\(field.name)" : "\(field.name)"
    }

    /// Records that the shape is wrong; the first fault is the one that is told.
    mutating func note(_ words: String, at offset: Int) {
        guard fault == nil else { return }
        fault = Rejection(.undecodable, "\(words) (byte \(offset - origin))")
    }

    private mutating func read(
        _ scanner: inout JSONScanner, as expected: WireField.Form?, depth: Int
    ) throws(MalformedJSON) {
        let start = scanner.index
        var form = expected
        try scanner.members(depth: depth) { (scanner, key) throws(MalformedJSON) in
            let field = scanner.withText(of: key) { WireField(named: $0) }
            if form == nil, let field {
                // The first known key tells which of the two it is; they have none in common.
                if field.belongs(to: .envelope) { form = .envelope } else if field.belongs(to: .trade) { form = .trade }
                hasEnvelope = form == .envelope
            }
            guard let field, let form, field.belongs(to: form) else {
                note("\(prefix(of: form))\(quoted(scanner.text(of: key))): unknown field", at: key.offset)
                _ = try scanner.value(depth: depth + 1)
                return
            }
            guard tokens[field.rawValue].kind == .absent else {
                note("\(path(field)): given twice", at: key.offset)
                tokens[field.rawValue].kind = .ambiguous
                _ = try scanner.value(depth: depth + 1)
                return
            }
            if field == .trade, scanner.next == UInt8(ascii: "{") {
                tokens[field.rawValue] = JSONToken(.object, scanner.index, scanner.index)
                try read(&scanner, as: .trade, depth: depth + 1)
                return
            }
            let token = try scanner.value(depth: depth + 1)
            tokens[field.rawValue] = token
            if !field.accepts(token.kind) {
                note("\(path(field)): expected \(field.words), found \(token.kind.words)", at: token.offset)
            }
        }
        checkCompleteness(of: form, at: start)
    }

    private mutating func checkCompleteness(of form: WireField.Form?, at start: Int) {
        let required =
            switch form {
            case .envelope: WireField.requiredInEnvelope
            case .operation: WireField.requiredInOperation
            case .trade, nil: WireField.requiredInTrade
            }
        for field in required where tokens[field.rawValue].kind == .absent {
            note("\(path(field)): missing", at: start)
            return
        }
        guard form == .envelope, fault == nil else { return }
        let version = self[.version]
        if !scanner.text(of: version, is: "1") {
            note("v: expected 1, found \(excerpt(scanner.text(of: version)))", at: version.offset)
        }
        let type = self[.type]
        if !scanner.text(of: type, is: "trade") {
            note("type: expected \"trade\", found \(quoted(scanner.text(of: type)))", at: type.offset)
        }
    }

    private func prefix(of form: WireField.Form?) -> String {
        hasEnvelope && form == .trade ? "trade." : ""
    }
}

extension WireField {
    /// What the field holds, as a message says it.
    fileprivate var words: String {
        switch content {
        case .identifier: "an id (a string or an integer)"
        case .text: "a string"
        case .decimal: "a decimal in a string"
        case .integer: "an integer"
        case .object: "an object"
        }
    }
}

extension JSONToken.Kind {
    fileprivate var words: String {
        switch self {
        case .absent, .ambiguous: "nothing"
        case .null: "null"
        case .boolean: "true or false"
        case .integer: "a number"
        case .fraction: "a number with a point or an exponent"
        case .string, .escapedString: "a string"
        case .object: "an object"
        case .array: "an array"
        }
    }
}

/// The beginning of what somebody wrote, fit for a log line.
func excerpt(_ text: String) -> String {
    let lengthMax = 40
    var result = ""
    for (count, scalar) in text.unicodeScalars.enumerated() {
        if count == lengthMax { return result + "…" }
        switch scalar.value {
        case 0..<0x20, 0x7f..<0xa0: result += "\\u{" + String(scalar.value, radix: 16) + "}"
        default: result.unicodeScalars.append(scalar)
        }
    }
    return result
}

func quoted(_ text: String) -> String {
    "\"" + excerpt(text) + "\""
}
