/// A JSON document whose keys stay in the order in which they were written. Amounts are strings: fractions are for
/// what was measured.
public enum JSONValue: Sendable, Equatable {
    case null
    case bool(Bool)
    case integer(Int)
    /// A rate, a ratio or a latency with so many decimals; never money.
    case number(Double, decimals: Int)
    case string(String)
    case array([JSONValue])
    case object([(key: String, value: JSONValue)])

    /// A string, or null where there is none.
    public static func string(_ text: String?) -> JSONValue { text.map { .string($0) } ?? .null }

    public static func == (left: JSONValue, right: JSONValue) -> Bool { left.line == right.line }

    /// A measure, or null where there is none.
    public static func measure(_ value: Double?, decimals: Int) -> JSONValue {
        value.map { .number($0, decimals: decimals) } ?? .null
    }

    /// In one line.
    public var line: String {
        var text = ""
        write(to: &text, indent: nil)
        return text
    }

    /// In lines, two spaces deep.
    public var pretty: String {
        var text = ""
        write(to: &text, indent: 0)
        return text
    }

    private func write(to text: inout String, indent: Int?) {
        switch self {
        case .null: text += "null"
        case .bool(let value): text += value ? "true" : "false"
        case .integer(let value): text += String(value)
        case .number(let value, let decimals): text += value.isFinite ? value.rounded(decimals: decimals) : "null"
        case .string(let value): text += Self.quoted(value)
        case .array(let elements):
            Self.writeAll(elements, between: ("[", "]"), to: &text, indent: indent) { element, text, indent in
                element.write(to: &text, indent: indent)
            }
        case .object(let pairs):
            Self.writeAll(pairs, between: ("{", "}"), to: &text, indent: indent) { pair, text, indent in
                text += Self.quoted(pair.key) + (indent == nil ? ":" : ": ")
                pair.value.write(to: &text, indent: indent)
            }
        }
    }

    private static func writeAll<Item>(
        _ items: [Item], between brackets: (String, String), to text: inout String, indent: Int?,
        write: (Item, inout String, Int?) -> Void
    ) {
        text += brackets.0
        for (index, item) in items.enumerated() {
            if index > 0 { text += "," }
            if let indent { text += "\n" + String(repeating: " ", count: indent + 2) }
            write(item, &text, indent.map { $0 + 2 })
        }
        if let indent, !items.isEmpty { text += "\n" + String(repeating: " ", count: indent) }
        text += brackets.1
    }

    private static func quoted(_ string: String) -> String {
        var text = "\""
        for scalar in string.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            case "\t": text += "\\t"
            // JSON asks for this below U+0020 only; the others would act on a terminal.
            case _ where scalar.isHostile:
                for unit in UTF16.encode(scalar)! {
                    let digits = String(unit, radix: 16)
                    text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
                }
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text + "\""
    }
}

extension JSONValue: ExpressibleByNilLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral {
    public init(nilLiteral: ()) { self = .null }
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    public init(integerLiteral value: Int) { self = .integer(value) }
}

extension JSONValue: ExpressibleByStringInterpolation {
    public init(stringLiteral value: String) { self = .string(value) }
}

extension JSONValue: ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral {
    public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
    public init(dictionaryLiteral pairs: (String, JSONValue)...) { self = .object(pairs.map { (key: $0, value: $1) }) }
}

extension Double {
    /// In plain digits with so many of them behind the point: `12.50`.
    public func rounded(decimals: Int) -> String {
        var unit = 1
        for _ in 0..<decimals { unit *= 10 }
        let scaled = (self * Double(unit)).rounded()
        guard scaled.isFinite, abs(scaled) < 1e15 else { return "\(self)" }
        let number = Int(abs(scaled))
        let digits = String(number % unit)
        let fraction = String(repeating: "0", count: max(0, decimals - digits.count)) + digits
        return (scaled < 0 ? "-" : "") + String(number / unit) + (decimals > 0 ? "." + fraction : "")
    }
}
