/// Bytes are not what they should be.
public struct MalformedBytes: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Problem: Hashable, Sendable {
        case endsTooSoon
        case tooLong
        case trailingBytes
        case unknownVersion(UInt8)
        case unknownKind(UInt8)
        /// A value that the field cannot have.
        case badValue
        /// A number that could be written in fewer bytes.
        case notShortest
        /// No id, no symbol, or no UTF-8.
        case badText
    }

    public var problem: Problem
    /// Where it was noticed.
    public var offset: Int

    public init(_ problem: Problem, at offset: Int) {
        self.problem = problem
        self.offset = offset
    }

    public var description: String {
        let what =
            switch problem {
            case .endsTooSoon: "the bytes end too soon"
            case .tooLong: "there are too many bytes"
            case .trailingBytes: "bytes follow after the end"
            case .unknownVersion(let version): "version \(version) is unknown"
            case .unknownKind(let kind): "kind \(kind) is unknown"
            case .badValue: "a value is out of its range"
            case .notShortest: "a number is not in its shortest form"
            case .badText: "a text is not acceptable"
            }
        return "\(what) (at byte \(offset))"
    }
}

/// Reads what `ByteWriter` wrote, and refuses everything else.
public struct ByteReader {
    private let base: UnsafeRawPointer
    private let count: Int
    public private(set) var offset = 0

    public init(_ bytes: UnsafeRawBufferPointer) {
        // Nothing is read where there is nothing.
        base = bytes.baseAddress ?? UnsafeRawPointer(bitPattern: 1)!
        count = bytes.count
    }

    public var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: count) }

    /// Never less than nothing: all that moves on has asked before.
    public var remaining: Int { count &- offset }

    public func malformed(_ problem: MalformedBytes.Problem) -> MalformedBytes {
        MalformedBytes(problem, at: offset)
    }

    @inline(__always) private func require(_ byteCount: Int) throws(MalformedBytes) {
        guard remaining >= byteCount else { throw malformed(.endsTooSoon) }
    }

    @inline(__always) private func word(endingAt end: Int) -> UInt64 {
        UInt64(littleEndian: base.loadUnaligned(fromByteOffset: end &- 8, as: UInt64.self))
    }

    public func requireEnd() throws(MalformedBytes) {
        guard offset == count else { throw malformed(.trailingBytes) }
    }

    @inline(__always) public mutating func byte() throws(MalformedBytes) -> UInt8 {
        try require(1)
        defer { offset &+= 1 }
        return base.load(fromByteOffset: offset, as: UInt8.self)
    }

    @inline(__always) public mutating func uint32() throws(MalformedBytes) -> UInt32 {
        try require(4)
        defer { offset &+= 4 }
        return UInt32(littleEndian: base.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }

    @inline(__always) public mutating func uint64() throws(MalformedBytes) -> UInt64 {
        try require(8)
        defer { offset &+= 8 }
        return UInt64(littleEndian: base.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    /// A number that is written in one to eight bytes as it should be; nil where it is anything else, and nothing is
    /// read then. Nearly all numbers are such.
    @inline(__always) private mutating func usualCompact() -> UInt64? {
        guard remaining >= 2 else { return nil }
        let byteCount = Int(base.load(fromByteOffset: offset, as: UInt8.self))
        let end = offset &+ 1 &+ byteCount
        // The eight bytes that end with it are there, but at the very beginning.
        guard byteCount >= 1, byteCount <= 8, end <= count, end >= 8 else { return nil }
        let word = word(endingAt: end)
        guard word >> 56 != 0 else { return nil }
        offset = end
        return word &>> UInt64(truncatingIfNeeded: 64 &- byteCount &* 8)
    }

    @inline(__always) public mutating func compact64() throws(MalformedBytes) -> UInt64 {
        if let value = usualCompact() { return value }
        return try unusualCompact64()
    }

    @inline(never) private mutating func unusualCompact64() throws(MalformedBytes) -> UInt64 {
        let start = offset
        let wide = try compact()
        guard wide._high == 0 else { throw MalformedBytes(.badValue, at: start) }
        return wide._low
    }

    public mutating func compact() throws(MalformedBytes) -> UInt128 {
        if let value = usualCompact() { return UInt128(_low: value, _high: 0) }
        let start = offset
        let byteCount = Int(try byte())
        guard byteCount <= 16 else { throw MalformedBytes(.badValue, at: start) }
        try require(byteCount)
        if byteCount <= 8 {
            let value = low(byteCount)
            offset += byteCount
            guard byteCount == 0 || value >> UInt64(byteCount * 8 - 8) != 0 else {
                throw MalformedBytes(.notShortest, at: start)
            }
            return UInt128(_low: value, _high: 0)
        }
        let word = word(endingAt: offset + 8)
        offset += 8
        let high = low(byteCount - 8)
        offset += byteCount - 8
        guard high >> UInt64((byteCount - 8) * 8 - 8) != 0 else { throw MalformedBytes(.notShortest, at: start) }
        return UInt128(_low: word, _high: high)
    }

    private func low(_ byteCount: Int) -> UInt64 {
        var value: UInt64 = 0
        for index in 0..<byteCount { value |= UInt64(bytes[offset + index]) << UInt64(index * 8) }
        return value
    }

    @inline(__always) public mutating func signedCompact() throws(MalformedBytes) -> Int128 {
        let folded = try compact()
        return Int128(bitPattern: (folded >> 1) ^ (0 &- (folded & 1)))
    }

    /// The amount's own bound is checked; it may be negative.
    public mutating func signedAmount() throws(MalformedBytes) -> Amount {
        let start = offset
        guard let amount = Amount(units: try signedCompact()) else { throw MalformedBytes(.badValue, at: start) }
        return amount
    }

    public mutating func amount() throws(MalformedBytes) -> Amount {
        let start = offset
        guard let units = Int128(exactly: try compact()), let amount = Amount(units: units) else {
            throw MalformedBytes(.badValue, at: start)
        }
        return amount
    }

    /// A decimal number in its shortest form.
    @inline(__always) public mutating func decimal() throws(MalformedBytes) -> DecimalNumber {
        var ahead = self
        if remaining > 0 {
            let scale = Int(base.load(fromByteOffset: offset, as: UInt8.self))
            ahead.offset &+= 1
            if let folded = ahead.usualCompact(),
                let number = DecimalNumber(
                    shortest: Int64(bitPattern: (folded &>> 1) ^ (0 &- (folded & 1))), scale: scale)
            {
                self = ahead
                return number
            }
        }
        return try unusualDecimal()
    }

    @inline(never) private mutating func unusualDecimal() throws(MalformedBytes) -> DecimalNumber {
        let start = offset
        let scale = Int(try byte())
        guard let number = DecimalNumber(shortest: try signedCompact(), scale: scale) else {
            throw MalformedBytes(.badValue, at: start)
        }
        return number
    }

    /// Some of the bytes themselves, without a copy.
    @inline(__always) public mutating func raw(_ byteCount: Int) throws(MalformedBytes) -> UnsafeRawBufferPointer {
        guard byteCount >= 0 else { throw malformed(.badValue) }
        try require(byteCount)
        defer { offset &+= byteCount }
        return UnsafeRawBufferPointer(start: base + offset, count: byteCount)
    }

    /// The bytes of an id; nil where it is empty.
    @inline(__always) public mutating func optionalIdentifier() throws(MalformedBytes) -> UnsafeRawBufferPointer? {
        let start = offset
        let text = try raw(Int(try byte()))
        guard text.count <= Identifier.byteCountMax, text.isPlainASCII || isOtherIdentifierText(text) else {
            throw MalformedBytes(.badText, at: start)
        }
        return text.isEmpty ? nil : text
    }

    @inline(__always) public mutating func identifier() throws(MalformedBytes) -> UnsafeRawBufferPointer {
        let start = offset
        guard let text = try optionalIdentifier() else { throw MalformedBytes(.badText, at: start) }
        return text
    }

    public mutating func assetSymbol() throws(MalformedBytes) -> UnsafeRawBufferPointer {
        let start = offset
        let text = try raw(Int(try byte()))
        guard (1...16).contains(text.count), text.allSatisfy(isSymbolByte) else {
            throw MalformedBytes(.badText, at: start)
        }
        return text
    }

    /// The bytes of a market's symbol, which is written with a slash alone.
    @inline(__always) public mutating func marketSymbol() throws(MalformedBytes) -> UnsafeRawBufferPointer {
        let start = offset
        let text = try raw(Int(try byte()))
        guard isMarketSymbol(text) else { throw MalformedBytes(.badText, at: start) }
        return text
    }
}

/// Two assets' symbols with a slash between them, and not the same.
private func isMarketSymbol(_ text: UnsafeRawBufferPointer) -> Bool {
    guard let slash = text.onlySlashAmongSymbolBytes else { return false }
    let quoteCount = text.count - slash - 1
    return slash >= 1 && slash <= 16 && quoteCount >= 1 && quoteCount <= 16
        && (slash != quoteCount || !text[..<slash].elementsEqual(text[(slash + 1)...]))
}

private func isSymbolByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."):
        true
    default:
        false
    }
}

/// Whether the bytes are UTF-8 without control characters, as an id's are.
@inline(never) private func isOtherIdentifierText(_ bytes: UnsafeRawBufferPointer) -> Bool {
    var isASCII = true
    for byte in bytes {
        if byte < 0x20 || byte == 0x7f { return false }
        if byte >= 0x80 { isASCII = false }
    }
    return isASCII || String(validating: bytes, as: UTF8.self) != nil
}
