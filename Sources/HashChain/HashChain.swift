import CXXHash

/// The hash over a sequence of records, each chained to those before it: equal at N only where all records up to N are.
///
/// A step is XXH3-64 of the record's bytes with the hash before it as seed; before the first record it is zero. It
/// finds divergence and damage, and is no defence against somebody who forges records.
public struct HashChain: Hashable, Sendable {
    public private(set) var value: UInt64

    public static let start = HashChain(value: 0)

    public init(value: UInt64) {
        self.value = value
    }

    public mutating func append(_ record: UnsafeRawBufferPointer) {
        value = XXH3_64bits_withSeed(record.baseAddress, record.count, value)
    }

    public mutating func append(_ record: some Sequence<UInt8>) {
        let bytes = Array(record)
        bytes.withUnsafeBytes { append($0) }
    }

    /// The checksum of some bytes by themselves, of a file's block for example.
    @inlinable public static func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        XXH3_64bits(bytes.baseAddress, bytes.count)
    }

    /// The same with a seed: bytes under one seed tell nothing of those under another.
    @inlinable public static func checksum(_ bytes: UnsafeRawBufferPointer, seed: UInt64) -> UInt64 {
        XXH3_64bits_withSeed(bytes.baseAddress, bytes.count, seed)
    }

    /// 128 bits that stand for some bytes: no two of any number that a machine can hold meet by chance.
    @inlinable public static func digest(_ bytes: UnsafeRawBufferPointer, seed: UInt64) -> (low: UInt64, high: UInt64) {
        let hash = XXH3_128bits_withSeed(bytes.baseAddress, bytes.count, seed)
        return (hash.low64, hash.high64)
    }
}
