/// What SHA-256 makes of some bytes.
public struct Digest: Hashable, Sendable, CustomStringConvertible {
    public static let byteCount = 32
    /// What stands before the first seal of a chain.
    public static let zero = Digest([UInt8](repeating: 0, count: byteCount))!

    public let bytes: [UInt8]

    /// Returns nil when they are not 32.
    public init?(_ bytes: [UInt8]) {
        guard bytes.count == Self.byteCount else { return nil }
        self.bytes = bytes
    }

    /// Reads 64 hexadecimal digits, small or large.
    public init?(hex text: some StringProtocol) {
        let digits = text.utf8.compactMap { Character(Unicode.Scalar($0)).hexDigitValue }
        guard digits.count == 2 * Self.byteCount, text.utf8.count == digits.count else { return nil }
        bytes = stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
    }

    /// In small hexadecimal digits.
    public var description: String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}
