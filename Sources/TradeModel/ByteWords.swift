/// Texts looked at by eight bytes at once, as messages bring them: each byte of a word answers for itself.
extension UnsafeRawBufferPointer {
    /// Whether all bytes are ASCII and none is a control character.
    @inline(__always) var isPlainASCII: Bool {
        var index = 0
        while index + 8 <= count {
            guard word(at: index).isPlainASCII else { return false }
            index += 8
        }
        if index == count { return true }
        // Looking at a byte twice does no harm.
        if count >= 8 { return word(at: count - 8).isPlainASCII }
        if count >= 4 {
            let first = UInt64(loadUnaligned(as: UInt32.self))
            return (loadUnaligned(fromByteOffset: count - 4, as: UInt32.self)).word(above: first).isPlainASCII
        }
        for byte in self where byte < 0x20 || byte >= 0x7f { return false }
        return true
    }

    /// Where the only slash is, if all other bytes are those of assets' symbols; nil where it is otherwise.
    @inline(__always) var onlySlashAmongSymbolBytes: Int? {
        var slash: Int?
        var index = 0
        while index < count {
            var word = UInt64.filler
            if index + 8 <= count {
                word = self.word(at: index)
            } else {
                for place in (index..<count).reversed() { word = word &<< 8 | UInt64(self[place]) }
            }
            guard word.isSymbolOrSlash else { return nil }
            let slashes = word.slashes
            if slashes != 0 {
                guard slash == nil, slashes & (slashes &- 1) == 0 else { return nil }
                slash = index + slashes.trailingZeroBitCount / 8
            }
            index += 8
        }
        return slash
    }

    @inline(__always) private func word(at offset: Int) -> UInt64 {
        UInt64(littleEndian: loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }
}

extension UInt32 {
    @inline(__always) fileprivate func word(above low: UInt64) -> UInt64 { UInt64(self) &<< 32 | low }
}

extension UInt64 {
    /// Eight bytes that are letters.
    fileprivate static let filler: UInt64 = 0x6161_6161_6161_6161

    /// The highest bit of each byte.
    private static var tops: UInt64 { 0x8080_8080_8080_8080 }

    private static func each(_ byte: UInt64) -> UInt64 { 0x0101_0101_0101_0101 &* byte }

    /// Whether each byte is from 0x20 to 0x7e. The lowest that is not shows in its highest bit: by itself, by going up
    /// one from 0x7f, or by going down 0x20 from less; those below it carry nothing over.
    @inline(__always) fileprivate var isPlainASCII: Bool {
        (self | (self &+ Self.each(0x01)) | (self &- Self.each(0x20))) & Self.tops == 0
    }

    /// Whether each byte is a letter, a digit, a dot or a slash.
    @inline(__always) fileprivate var isSymbolOrSlash: Bool {
        guard self & Self.tops == 0 else { return false }
        // The highest bit of a byte says whether it reaches the sum's complement; nothing is carried over.
        let lower = self | Self.each(0x20)
        let letters = (lower &+ Self.each(0x80 - 0x61)) & ~(lower &+ Self.each(0x80 - 0x7b))
        // "." "/" "0" … "9" stand one behind the other.
        let others = (self &+ Self.each(0x80 - 0x2e)) & ~(self &+ Self.each(0x80 - 0x3a))
        return (letters | others) & Self.tops == Self.tops
    }

    /// The highest bit of each byte that is a slash, in a word of ASCII.
    @inline(__always) fileprivate var slashes: UInt64 {
        ~((self ^ Self.each(0x2f)) &+ Self.each(0x7f)) & Self.tops
    }
}
