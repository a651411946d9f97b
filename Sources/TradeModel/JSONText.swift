/// One JSON object as it is written, key by key.
struct JSONText {
    private(set) var text = "{"

    private mutating func key(_ key: String) {
        if text.utf8.count > 1 { text += "," }
        text += "\"\(key)\":"
    }

    /// The object, closed.
    var closed: String { text + "}" }

    mutating func add(_ key: String, _ value: String) {
        self.key(key)
        text += Self.quoted(value)
    }

    mutating func add(_ key: String, _ value: String?) {
        if let value { add(key, value) }
    }

    mutating func add(_ key: String, integer: some BinaryInteger) {
        self.key(key)
        text += String(integer)
    }

    mutating func add(_ key: String, _ value: Bool) {
        self.key(key)
        text += value ? "true" : "false"
    }

    mutating func add(_ key: String, objects: [String]) {
        self.key(key)
        text += "[" + objects.joined(separator: ",") + "]"
    }

    mutating func add(_ key: String, object: String) {
        self.key(key)
        text += object
    }

    /// What an id may hold is no control character; those that end a string or a line elsewhere are escaped too.
    private static func quoted(_ value: String) -> String {
        var text = "\""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case "\u{0}"..."\u{1f}", "\u{7f}"..."\u{9f}", "\u{2028}", "\u{2029}":
                let digits = String(scalar.value, radix: 16)
                text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text + "\""
    }
}
