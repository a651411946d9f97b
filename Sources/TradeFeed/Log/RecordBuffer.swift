import HashChain

/// Records one after the other, each behind its length: as they lie in a log and travel on the wire.
///
/// Copies and parts of it share its memory until one of them changes.
public struct RecordBuffer: Sendable {
    /// The length of a record is written in so many bytes, the least significant first.
    public static let lengthBytes = 4

    /// Where the records stand in the storage, which may be shared with other parts of it.
    private var storage: [UInt8]
    private var range: Range<Int>
    public private(set) var count: Int

    /// The records with their lengths.
    public var bytes: ArraySlice<UInt8> { storage[range] }

    public init() {
        self.init(trusting: [], in: 0..<0, count: 0)
    }

    public init(_ records: some Sequence<[UInt8]>) {
        self.init()
        for record in records { append(record) }
    }

    /// What somebody else wrote; nil unless the lengths fit the bytes, the count and the limit of a record exactly.
    public init?(checking bytes: ArraySlice<UInt8>, count: Int) {
        self.init(checking: Array(bytes), in: 0..<bytes.count, count: count)
    }

    /// The same, sharing the memory of all the bytes.
    init?(checking storage: [UInt8], in range: Range<Int>, count: Int) {
        let isWhole = storage.withUnsafeBytes { bytes in
            var offset = range.lowerBound
            for _ in 0..<count {
                guard range.upperBound - offset >= Self.lengthBytes else { return false }
                let length = Self.length(at: offset, in: bytes)
                offset += Self.lengthBytes
                guard length <= LogLimits.recordBytesMax, length <= range.upperBound - offset else { return false }
                offset += length
            }
            return offset == range.upperBound
        }
        guard isWhole else { return nil }
        self.init(trusting: storage, in: range, count: count)
    }

    /// A part of a buffer whose borders are known.
    init(trusting storage: [UInt8], in range: Range<Int>, count: Int) {
        self.storage = storage
        self.range = range
        self.count = count
    }

    public var isEmpty: Bool { count == 0 }
    /// With the lengths.
    public var byteCount: Int { range.count }
    /// Without the lengths.
    public var contentByteCount: Int { byteCount - count * Self.lengthBytes }

    public mutating func reserveCapacity(_ byteCount: Int) {
        ownStorage()
        storage.reserveCapacity(byteCount)
    }

    public mutating func removeAll(keepingCapacity: Bool) {
        storage.removeAll(keepingCapacity: keepingCapacity)
        range = 0..<0
        count = 0
    }

    /// Before something is added, the storage holds nothing but the records.
    private mutating func ownStorage() {
        guard range.count < storage.count else { return }
        storage = Array(bytes)
        range = 0..<storage.count
    }

    /// Adds a record, which a log takes only up to `LogLimits.recordBytesMax`.
    public mutating func append(_ record: UnsafeRawBufferPointer) {
        ownStorage()
        withUnsafeBytes(of: UInt32(clamping: record.count).littleEndian) { storage.append(contentsOf: $0) }
        storage.append(contentsOf: record)
        range = 0..<storage.count
        count += 1
    }

    public mutating func append(_ record: [UInt8]) {
        record.withUnsafeBytes { append($0) }
    }

    public mutating func append(_ records: RecordBuffer) {
        if isEmpty {
            self = records
        } else {
            ownStorage()
            storage.append(contentsOf: records.bytes)
            range = 0..<storage.count
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
        let failure: Failure? = storage.withUnsafeBytes { bytes in
            var offset = range.lowerBound
            while offset < range.upperBound {
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
        var border = range.lowerBound
        for _ in 0..<recordCount { border += Self.lengthBytes + length(at: border) }
        return split(at: border, recordCount)
    }

    /// The records from the front that take no more than so many bytes with their lengths, but at least one; and the
    /// rest.
    func split(fitting byteCountMax: Int) -> (RecordBuffer, RecordBuffer) {
        guard byteCount > byteCountMax else { return (self, RecordBuffer()) }
        var border = range.lowerBound
        var taken = 0
        while taken < count {
            let next = border + Self.lengthBytes + length(at: border)
            guard taken == 0 || next - range.lowerBound <= byteCountMax else { break }
            border = next
            taken += 1
        }
        return split(at: border, taken)
    }

    private func split(at border: Int, _ recordCount: Int) -> (RecordBuffer, RecordBuffer) {
        (
            RecordBuffer(trusting: storage, in: range.lowerBound..<border, count: recordCount),
            RecordBuffer(trusting: storage, in: border..<range.upperBound, count: count - recordCount)
        )
    }

    private func length(at offset: Int) -> Int { storage.withUnsafeBytes { Self.length(at: offset, in: $0) } }

    private static func length(at offset: Int, in bytes: UnsafeRawBufferPointer) -> Int {
        Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self)))
    }
}

extension RecordBuffer: Hashable {
    public static func == (left: RecordBuffer, right: RecordBuffer) -> Bool {
        left.count == right.count && left.bytes == right.bytes
    }

    public func hash(into hasher: inout Hasher) {
        bytes.withUnsafeBytes { hasher.combine(bytes: $0) }
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
