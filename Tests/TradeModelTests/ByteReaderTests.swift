import Testing
import TradeModel

/// Texts and numbers that are read by words, against the rules byte by byte.
@Suite struct ByteReaderTests {
    private func isRead(_ text: [UInt8], _ read: (inout ByteReader) throws -> UnsafeRawBufferPointer) -> Bool {
        // Something stands before it and behind it, as in a message.
        let message = [UInt8(ascii: "!"), UInt8(text.count)] + text + [0]
        return message.withUnsafeBytes { bytes in
            var reader = ByteReader(bytes)
            _ = try? reader.byte()
            guard let found = try? read(&reader) else { return false }
            return found.elementsEqual(text)
        }
    }

    @Test func `every byte at every place of an id counts`() {
        var differing: [String] = []
        for count in 1...20 {
            for place in 0..<count {
                for byte in UInt8.min...UInt8.max {
                    var text = [UInt8](repeating: UInt8(ascii: "a"), count: count)
                    text[place] = byte
                    // A byte above ASCII is no UTF-8 by itself.
                    let expected = byte >= 0x20 && byte < 0x7f
                    if isRead(text, { try $0.identifier() }) != expected { differing.append("\(text)") }
                }
            }
        }
        #expect(differing == [])
        #expect(isRead(Array("Grüße an 東京".utf8)) { try $0.identifier() })
        #expect(!isRead(Array("Grüße\n".utf8)) { try $0.identifier() })
    }

    @Test func `every byte at every place of a market's symbol counts`() {
        func isMarket(_ text: [UInt8]) -> Bool {
            let parts = text.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
            let isSymbol = { (byte: UInt8) in
                byte == UInt8(ascii: ".")
                    || Character(UnicodeScalar(byte)).isASCII
                        && (Character(UnicodeScalar(byte)).isLetter || Character(UnicodeScalar(byte)).isNumber)
            }
            return parts.count == 2 && parts[0] != parts[1]
                && parts.allSatisfy { (1...16).contains($0.count) && $0.allSatisfy(isSymbol) }
        }
        var differing: [String] = []
        for (base, quote) in [
            (1, 1), (1, 2), (3, 3), (3, 4), (4, 3), (3, 5), (8, 8), (8, 7), (16, 16), (17, 2), (2, 17),
        ] {
            let symbol =
                [UInt8](repeating: UInt8(ascii: "B"), count: base) + [UInt8(ascii: "/")]
                + [UInt8](repeating: UInt8(ascii: "q"), count: quote)
            for place in symbol.indices {
                for byte in UInt8.min...UInt8.max {
                    var text = symbol
                    text[place] = byte
                    if isRead(text, { try $0.marketSymbol() }) != isMarket(text) { differing.append("\(text)") }
                }
            }
        }
        #expect(differing == [])
        #expect(!isRead(Array("BTC/BTC".utf8)) { try $0.marketSymbol() })
        #expect(!isRead([]) { try $0.marketSymbol() })
    }

    @Test func `a number of any size is read as it was written, wherever it stands`() throws {
        for bits in 0...128 {
            let value = bits == 128 ? UInt128.max : (UInt128(1) << UInt128(bits)) - 1
            for before in 0...9 {
                var writer = ByteWriter()
                for _ in 0..<before { writer.byte(1) }
                writer.compact(value)
                var reader = ByteReader(writer.bytes)
                for _ in 0..<before { _ = try reader.byte() }
                #expect(try reader.compact() == value)
                try reader.requireEnd()
            }
        }
    }
}
