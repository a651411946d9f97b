import HashChain
import TradeModel

/// The first bytes of a segment: which records it begins behind.
public struct SegmentHeader: Hashable, Sendable {
    public static let magic = Array("settlelg".utf8)
    public static let version: UInt32 = 1
    public static let byteCount = 40

    /// Behind the record before the segment's first.
    public var start: StreamPosition

    public init(start: StreamPosition) {
        self.start = start
    }

    public func encode() -> [UInt8] {
        var bytes = Self.magic
        bytes.append(number: Self.version)
        bytes.append(number: 0 as UInt32)
        bytes.append(number: start.sequence)
        bytes.append(number: start.hash)
        bytes.append(number: bytes.withUnsafeBytes { HashChain.checksum($0) })
        return bytes
    }

    /// Throws what is wrong with it, in words.
    public init(_ bytes: ArraySlice<UInt8>) throws(Fault) {
        var reader = SliceReader(bytes)
        guard let magic = reader.bytes(Self.magic.count), Array(magic) == Self.magic else {
            throw Fault(reason: "this is no segment of a log")
        }
        guard let version = reader.number(UInt32.self), version == Self.version else {
            throw Fault(reason: "the segment has another version than \(Self.version)")
        }
        guard reader.number(UInt32.self) == 0, let sequence = reader.sequence(),
            let hash = reader.number(UInt64.self), let checksum = reader.number(UInt64.self),
            bytes.prefix(Self.byteCount - 8).withUnsafeBytes({ HashChain.checksum($0) }) == checksum
        else { throw Fault(reason: "the segment's header is not whole") }
        start = StreamPosition(sequence: sequence, hash: hash)
    }

    public struct Fault: Error, Hashable, Sendable {
        public var reason: String

        public init(reason: String) {
            self.reason = reason
        }
    }
}
