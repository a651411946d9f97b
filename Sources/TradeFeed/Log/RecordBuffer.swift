import HashChain

/// Records one after the other, each behind its length: as they lie in a log and travel on the wire.
///
/// Copies and parts of it share its memory until one of them changes.
public struct RecordBuffer: Hashable, Sendable {
    /// The length of a record is written in so many bytes, the least significant first.
    public static let lengthBytes = 4

    /// The records with their lengths.
    public private(set) var bytes: ArraySlice<UInt8>
    public private(set) var count: Int

    public init() {
        bytes = []
        count = 0
    }

    public init(_ records: some Sequence<[UInt8]>) {
        self.init()
        for record in records { append(record) }
    }

    /// What somebody else wrote; nil unless the lengths fit the bytes, the count and the limit of a record exactly.
    public init?(checking bytes: ArraySlice<UInt8>, count: Int) {
        let isWhole = bytes.withUnsafeBytes { bytes in
            var offset = 0
            for _ in 0..<count {
                guard bytes.count - offset >= Self.lengthBytes else { return false }
                let length = Self.length(at: offset, in: bytes)
                offset += Self.lengthBytes
                guard length <= LogLimits.recordBytesMax, length <= bytes.count - offset else { return false }
                offset += length
            }
            return offset == bytes.count
        }
        guard isWhole else { return nil }
        self.init(trusting: bytes, count: count)
    }

    /// A part of a buffer whose borders are known.
    init(trusting bytes: ArraySlice<UInt8>, count: Int) {
        self.bytes = bytes
        self.count = count
    }

    public var isEmpty: Bool { count == 0 }

    /// The bytes of the records without their lengths.
    public var contentByteCount: Int { bytes.count - count * Self.lengthBytes }

    public mutating func reserveCapacity(_ byteCount: Int) {
        bytes.reserveCapacity(byteCount)
    }

    public mutating func removeAll(keepingCapacity: Bool) {
        bytes.removeAll(keepingCapacity: keepingCapacity)
        count = 0
    }

    /// Adds a record, which a log takes only up to `LogLimits.recordBytesMax`.
    public mutating func append(_ record: UnsafeRawBufferPointer) {
        withUnsafeBytes(of: UInt32(clamping: record.count).littleEndian) { bytes.append(contentsOf: $0) }
        bytes.append(contentsOf: record)
        count += 1
    }

    public mutating func append(_ record: [UInt8]) {
        record.withUnsafeBytes { append($0) }
    }

    public mutating func append(_ records: RecordBuffer) {
        if isEmpty {
            self = records
        } else {
            bytes.append(contentsOf: records.bytes)
            count += records.count
        }
    }

    /// The hash behind the last record, with the hash before the first.
    public func hash(after previous: UInt64) -> UInt64 {
        var chain = HashChain(value: previous)
        forEachBytes { chain.append($0) }
        return chain.value
    }

    /// Hands over each record in its place, without copying it.
    public func forEachBytes<Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) {
        let failure: Failure? = bytes.withUnsafeBytes { bytes in
            var offset = 0
            while offset < bytes.count {
                let length = Self.length(at: offset, in: bytes)
                offset += Self.lengthBytes
                do throws(Failure) {
                    try body(UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + length]))
                } catch {
                    return error
                }
                offset += length
            }
            return nil
        }
        if let failure { throw failure }
    }

    /// The first records, and the rest; all in the first part when there are no more.
    public func split(after recordCount: Int) -> (RecordBuffer, RecordBuffer) {
        guard recordCount < count else { return (self, RecordBuffer()) }
        var border = bytes.startIndex
        for _ in 0..<recordCount { border += Self.lengthBytes + length(at: border) }
        return (
            RecordBuffer(trusting: bytes[..<border], count: recordCount),
            RecordBuffer(trusting: bytes[border...], count: count - recordCount)
        )
    }

    /// The records from the front that take no more than so many bytes with their lengths, but at least one; and the
    /// rest.
    func split(fitting byteCountMax: Int) -> (RecordBuffer, RecordBuffer) {
        guard bytes.count > byteCountMax else { return (self, RecordBuffer()) }
        var border = bytes.startIndex
        var taken = 0
        while taken < count {
            let next = border + Self.lengthBytes + length(at: border)
            guard taken == 0 || next - bytes.startIndex <= byteCountMax else { break }
            border = next
            taken += 1
        }
        return (
            RecordBuffer(trusting: bytes[..<border], count: taken),
            RecordBuffer(trusting: bytes[border...], count: count - taken)
        )
    }

    private func length(at index: Int) -> Int {
        bytes.withUnsafeBytes { Self.length(at: index - bytes.startIndex, in: $0) }
    }

    private static func length(at offset: Int, in bytes: UnsafeRawBufferPointer) -> Int {
        Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self)))
    }
}

extension RecordBuffer: Sequence {
    public struct Iterator: IteratorProtocol {
        fileprivate var rest: ArraySlice<UInt8>

        public mutating func next() -> ArraySlice<UInt8>? {
            guard !rest.isEmpty else { return nil }
            let length = rest.withUnsafeBytes { RecordBuffer.length(at: 0, in: $0) }
            let start = rest.startIndex + RecordBuffer.lengthBytes
            defer { rest = rest[(start + length)...] }
            return rest[start..<start + length]
        }
    }

    public func makeIterator() -> Iterator { Iterator(rest: bytes) }
    public var underestimatedCount: Int { count }
}
