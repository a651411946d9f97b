/// A value found in JSON text: its kind, and where its text lies.
struct JSONToken {
    enum Kind: UInt8 {
        case absent, null, boolean, integer
        /// A number with a point or an exponent.
        case fraction
        case string, escapedString
        case object, array
        /// The key was given twice, so that no value can be trusted.
        case ambiguous
    }

    var kind: Kind
    /// For a string the range lies between its quotes.
    var start: Int32
    var end: Int32

    static let absent = JSONToken(.absent, 0, 0)

    init(_ kind: Kind, _ start: Int, _ end: Int) {
        self.kind = kind
        self.start = Int32(truncatingIfNeeded: start)
        self.end = Int32(truncatingIfNeeded: end)
    }

    /// Where the value begins, its quote included.
    var offset: Int {
        kind == .string || kind == .escapedString ? Int(start) - 1 : Int(start)
    }
}

/// The text is not JSON: what was expected, and at which byte.
struct MalformedJSON: Error {
    var offset: Int
    var reason: String
}

/// Walks over JSON text (RFC 8259) without building a tree. Text is checked to be UTF-8 on the way.
///
/// What it accepts is exactly the grammar, and strings that are Unicode text: an escaped half of a surrogate pair
/// is refused. The text must be at most `WireLimits.messageBytesMax` long.
struct JSONScanner {
    let bytes: UnsafeBufferPointer<UInt8>
    private(set) var index: Int

    /// A byte order mark at the start, which some editors write, is passed over.
    init(_ bytes: UnsafeBufferPointer<UInt8>) {
        self.bytes = bytes
        let hasMark = bytes.count >= 3 && bytes[0] == 0xef && bytes[1] == 0xbb && bytes[2] == 0xbf
        index = hasMark ? 3 : 0
    }

    var isAtEnd: Bool { index == bytes.count }

    /// The next byte; nil at the end.
    var next: UInt8? { index < bytes.count ? bytes[index] : nil }

    mutating func skipWhitespace() {
        while index < bytes.count {
            switch bytes[index] {
            case 0x20, 0x0a, 0x0d, 0x09: index += 1
            default: return
            }
        }
    }

    /// Passes over one value, checking all of it.
    mutating func value(depth: Int) throws(MalformedJSON) -> JSONToken {
        let start = index
        guard let next else { throw unexpected("a value") }
        switch next {
        case UInt8(ascii: "\""):
            return try string()
        case UInt8(ascii: "{"):
            try members(depth: depth) { (scanner, _) throws(MalformedJSON) in
                _ = try scanner.value(depth: depth + 1)
            }
            return JSONToken(.object, start, index)
        case UInt8(ascii: "["):
            try elements(depth: depth) { (scanner) throws(MalformedJSON) in
                _ = try scanner.value(depth: depth + 1)
            }
            return JSONToken(.array, start, index)
        case UInt8(ascii: "t"):
            try literal("true")
            return JSONToken(.boolean, start, index)
        case UInt8(ascii: "f"):
            try literal("false")
            return JSONToken(.boolean, start, index)
        case UInt8(ascii: "n"):
            try literal("null")
            return JSONToken(.null, start, index)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
            return try number()
        default:
            throw unexpected("a value")
        }
    }

    /// Walks over an object; `member` is called with each key and has to pass over the value.
    mutating func members(
        depth: Int, _ member: (inout JSONScanner, JSONToken) throws(MalformedJSON) -> Void
    ) throws(MalformedJSON) {
        try open(depth: depth)
        skipWhitespace()
        if take(UInt8(ascii: "}")) { return }
        while true {
            guard next == UInt8(ascii: "\"") else { throw unexpected("a key in quotes") }
            let key = try string()
            skipWhitespace()
            guard take(UInt8(ascii: ":")) else { throw unexpected("\":\"") }
            skipWhitespace()
            try member(&self, key)
            skipWhitespace()
            if take(UInt8(ascii: "}")) { return }
            guard take(UInt8(ascii: ",")) else { throw unexpected("\",\" or \"}\"") }
            skipWhitespace()
        }
    }

    /// Walks over an array; `element` has to pass over each value.
    mutating func elements(
        depth: Int, _ element: (inout JSONScanner) throws(MalformedJSON) -> Void
    ) throws(MalformedJSON) {
        try open(depth: depth)
        skipWhitespace()
        if take(UInt8(ascii: "]")) { return }
        while true {
            try element(&self)
            skipWhitespace()
            if take(UInt8(ascii: "]")) { return }
            guard take(UInt8(ascii: ",")) else { throw unexpected("\",\" or \"]\"") }
            skipWhitespace()
        }
    }

    /// Makes sure that nothing but white space is left.
    mutating func finish() throws(MalformedJSON) {
        skipWhitespace()
        guard isAtEnd else { throw unexpected("the end") }
    }

    private mutating func open(depth: Int) throws(MalformedJSON) {
        guard depth < WireLimits.nestingDepthMax else {
            throw MalformedJSON(offset: index, reason: "nested deeper than \(WireLimits.nestingDepthMax) levels")
        }
        index += 1
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard index < bytes.count, bytes[index] == byte else { return false }
        index += 1
        return true
    }

    private mutating func literal(_ text: StaticString) throws(MalformedJSON) {
        let start = index
        for offset in 0..<text.utf8CodeUnitCount {
            guard take(text.utf8Start[offset]) else {
                index = start
                throw unexpected("a value")
            }
        }
    }

    private mutating func number() throws(MalformedJSON) -> JSONToken {
        let start = index
        var kind = JSONToken.Kind.integer
        _ = take(UInt8(ascii: "-"))
        if !take(UInt8(ascii: "0")) { try digits() }
        if take(UInt8(ascii: ".")) {
            kind = .fraction
            try digits()
        }
        if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
            kind = .fraction
            if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
            try digits()
        }
        return JSONToken(kind, start, index)
    }

    private mutating func digits() throws(MalformedJSON) {
        let start = index
        while index < bytes.count, bytes[index] &- UInt8(ascii: "0") <= 9 { index += 1 }
        guard index > start else { throw unexpected("a digit") }
    }

    private mutating func string() throws(MalformedJSON) -> JSONToken {
        index += 1
        let start = index
        var kind = JSONToken.Kind.string
        while true {
            index = endOfPlainText(from: index)
            guard let byte = next else { throw unexpected("a closing quote") }
            if byte == UInt8(ascii: "\"") {
                index += 1
                return JSONToken(kind, start, index - 1)
            }
            if byte == UInt8(ascii: "\\") {
                kind = .escapedString
                try escape()
            } else if byte < 0x20 {
                throw MalformedJSON(offset: index, reason: "a control character in a string, which must be escaped")
            } else {
                let length = lengthOfUTF8Sequence()
                guard length > 0 else { throw MalformedJSON(offset: index, reason: "invalid UTF-8") }
                index += length
            }
        }
    }

    /// The first byte that is a quote, an escape, a control character or not ASCII.
    private func endOfPlainText(from start: Int) -> Int {
        var index = start
        // Eight bytes at a time. Borrows run upwards only, so that the lowest bit that is set is always a true one.
        while index + 8 <= bytes.count {
            let word = bytes.word(at: index)
            let quotes = word ^ (0x0101_0101_0101_0101 * UInt64(UInt8(ascii: "\"")))
            let escapes = word ^ (0x0101_0101_0101_0101 * UInt64(UInt8(ascii: "\\")))
            let ends =
                (quotes &- 0x0101_0101_0101_0101) & ~quotes | (escapes &- 0x0101_0101_0101_0101) & ~escapes
                | (word &- 0x2020_2020_2020_2020) & ~word | word
            let found = ends & 0x8080_8080_8080_8080
            if found != 0 { return index + found.trailingZeroBitCount / 8 }
            index += 8
        }
        while index < bytes.count {
            let byte = bytes[index]
            guard byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\"), byte >= 0x20, byte < 0x80 else { break }
            index += 1
        }
        return index
    }

    private mutating func escape() throws(MalformedJSON) {
        let start = index
        index += 1
        switch next {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            index += 1
        case UInt8(ascii: "u"):
            index += 1
            let unit = try hexadecimal()
            if unit & 0xf800 == 0xd800 {
                guard unit < 0xdc00, take(UInt8(ascii: "\\")), take(UInt8(ascii: "u")),
                    try hexadecimal() & 0xfc00 == 0xdc00
                else { throw MalformedJSON(offset: start, reason: "half of a surrogate pair in a string") }
            }
        default:
            throw unexpected("an escape that JSON knows")
        }
    }

    private mutating func hexadecimal() throws(MalformedJSON) -> UInt32 {
        var unit: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = next, let digit = hexadecimalDigit(byte) else {
                throw unexpected("four hexadecimal digits")
            }
            unit = unit << 4 | digit
            index += 1
        }
        return unit
    }

    /// The length of the sequence that begins here; 0 when it is cut, overlong, a surrogate or beyond Unicode.
    private func lengthOfUTF8Sequence() -> Int {
        func continues(_ offset: Int, _ range: ClosedRange<UInt8> = 0x80...0xbf) -> Bool {
            index + offset < bytes.count && range.contains(bytes[index + offset])
        }
        switch bytes[index] {
        case 0xc2...0xdf: return continues(1) ? 2 : 0
        case 0xe0: return continues(1, 0xa0...0xbf) && continues(2) ? 3 : 0
        case 0xed: return continues(1, 0x80...0x9f) && continues(2) ? 3 : 0
        case 0xe1...0xef: return continues(1) && continues(2) ? 3 : 0
        case 0xf0: return continues(1, 0x90...0xbf) && continues(2) && continues(3) ? 4 : 0
        case 0xf1...0xf3: return continues(1) && continues(2) && continues(3) ? 4 : 0
        case 0xf4: return continues(1, 0x80...0x8f) && continues(2) && continues(3) ? 4 : 0
        default: return 0
        }
    }

    private func unexpected(_ expected: String) -> MalformedJSON {
        let found =
            switch next {
            case nil: "the end"
            case let byte? where byte > 0x20 && byte < 0x7f: "\"\(Character(UnicodeScalar(byte)))\""
            case let byte?: "byte 0x" + (byte < 0x10 ? "0" : "") + String(byte, radix: 16)
            }
        return MalformedJSON(offset: index, reason: "expected \(expected), found \(found)")
    }
}

extension JSONScanner {
    /// Calls `body` with the text of a token, escapes resolved.
    func withText<Result>(of token: JSONToken, _ body: (UnsafeBufferPointer<UInt8>) -> Result) -> Result {
        let text = UnsafeBufferPointer(rebasing: bytes[Int(token.start)..<Int(token.end)])
        return token.kind == .escapedString ? Self.unescaped(text).withUnsafeBufferPointer(body) : body(text)
    }

    func text(of token: JSONToken) -> String {
        withText(of: token) { String(decoding: $0, as: UTF8.self) }
    }

    func text(of token: JSONToken, is expected: StaticString) -> Bool {
        withText(of: token) { text in
            text.count == expected.utf8CodeUnitCount
                && text.indices.allSatisfy { text[$0] == expected.utf8Start[$0] }
        }
    }

    /// Resolves escapes that `string()` has checked.
    private static func unescaped(_ text: UnsafeBufferPointer<UInt8>) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(text.count)
        var index = 0
        func unit(at index: Int) -> UInt32 {
            text[index..<index + 4].reduce(0) { $0 << 4 | (hexadecimalDigit($1) ?? 0) }
        }
        while index < text.count {
            guard text[index] == UInt8(ascii: "\\") else {
                result.append(text[index])
                index += 1
                continue
            }
            let name = text[index + 1]
            index += 2
            switch name {
            case UInt8(ascii: "b"): result.append(0x08)
            case UInt8(ascii: "f"): result.append(0x0c)
            case UInt8(ascii: "n"): result.append(0x0a)
            case UInt8(ascii: "r"): result.append(0x0d)
            case UInt8(ascii: "t"): result.append(0x09)
            case UInt8(ascii: "u"):
                var code = unit(at: index)
                index += 4
                if code & 0xfc00 == 0xd800 {
                    code = 0x10000 + (code & 0x3ff) << 10 + unit(at: index + 2) & 0x3ff
                    index += 6
                }
                if let scalar = UnicodeScalar(code) { result.append(contentsOf: UTF8.encode(scalar)!) }
            default: result.append(name)
            }
        }
        return result
    }
}

extension UnsafeBufferPointer<UInt8> {
    /// Eight bytes, the first one lowest. They must be there.
    func word(at index: Int) -> UInt64 {
        assert(index + 8 <= count)
        return UInt64(
            littleEndian: UnsafeRawPointer(baseAddress! + index).loadUnaligned(as: UInt64.self))
    }
}

private func hexadecimalDigit(_ byte: UInt8) -> UInt32? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(byte - UInt8(ascii: "0"))
    case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt32(byte - UInt8(ascii: "a") + 10)
    case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt32(byte - UInt8(ascii: "A") + 10)
    default: nil
    }
}
