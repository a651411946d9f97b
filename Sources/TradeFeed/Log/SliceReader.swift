/// Reads numbers and bytes one after the other, the least significant byte first; nil where there are too few.
struct SliceReader {
    private(set) var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) {
        rest = bytes
    }

    mutating func number<Number: FixedWidthInteger>(_: Number.Type) -> Number? {
        let byteCount = MemoryLayout<Number>.size
        guard rest.count >= byteCount else { return nil }
        let number = rest.withUnsafeBytes { Number(littleEndian: $0.loadUnaligned(as: Number.self)) }
        rest = rest.dropFirst(byteCount)
        return number
    }

    /// A sequence is never negative, and so far from the largest number that one may count on from it.
    mutating func sequence() -> Int64? {
        guard let number = number(Int64.self), (0...LogLimits.sequenceMax).contains(number) else { return nil }
        return number
    }

    mutating func bytes(_ count: Int) -> ArraySlice<UInt8>? {
        guard count >= 0, rest.count >= count else { return nil }
        defer { rest = rest.dropFirst(count) }
        return rest.prefix(count)
    }
}

extension [UInt8] {
    mutating func append(number: some FixedWidthInteger) {
        Swift.withUnsafeBytes(of: number.littleEndian) { append(contentsOf: $0) }
    }
}
