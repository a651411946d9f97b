import HashChain
import TradeModel

/// What one append writes to a segment, behind each other until the file is full: a header and the records.
///
/// A checksum over everything behind it says whether the block is whole. A block without records says only what was
/// durable; it ends a log that was closed in good order.
public struct LogBlock: Hashable, Sendable {
    public static let magic: UInt32 = 0x4b_4c_42_53  // "SBLK"
    public static let headerBytes = 56

    public var run: RecordRun
    /// What was durable when the block was written. A log never loses it, so what is missing below it is damage.
    public var durable: Int64

    public init(run: RecordRun, durable: Int64) {
        self.run = run
        self.durable = durable
    }

    public var byteCount: Int { Self.headerBytes + run.records.byteCount }

    public func encode(into bytes: inout [UInt8]) {
        let start = bytes.count
        bytes.append(number: 0 as UInt64)
        bytes.append(number: Self.magic)
        bytes.append(number: UInt32(run.records.byteCount))
        bytes.append(number: UInt32(run.records.count))
        bytes.append(number: 0 as UInt32)
        bytes.append(number: run.start.sequence)
        bytes.append(number: run.start.hash)
        bytes.append(number: run.end.hash)
        bytes.append(number: durable)
        bytes.append(contentsOf: run.records.bytes)
        bytes.withUnsafeMutableBytes { buffer in
            let rest = UnsafeRawBufferPointer(rebasing: buffer[(start + 8)...])
            buffer.storeBytes(of: HashChain.checksum(rest).littleEndian, toByteOffset: start, as: UInt64.self)
        }
    }

    /// What the header of a block says, before anybody knows whether the block is whole.
    struct Header {
        var checksum: UInt64
        var payloadBytes: Int
        var count: Int
        var start: StreamPosition
        var end: StreamPosition
        var durable: Int64

        var byteCount: Int { LogBlock.headerBytes + payloadBytes }

        /// Nil where no header can be: it says what nobody writes.
        init?(_ bytes: ArraySlice<UInt8>) {
            var reader = SliceReader(bytes)
            guard let checksum = reader.number(UInt64.self), reader.number(UInt32.self) == LogBlock.magic,
                let payloadBytes = reader.number(UInt32.self), payloadBytes <= LogBlock.payloadBytesMax,
                let count = reader.number(UInt32.self),
                Int(count) * RecordBuffer.lengthBytes <= payloadBytes, reader.number(UInt32.self) == 0,
                let sequence = reader.sequence(), sequence <= LogLimits.sequenceMax - Int64(count),
                let hashBefore = reader.number(UInt64.self), let hashAfter = reader.number(UInt64.self),
                let durable = reader.sequence()
            else { return nil }
            self.checksum = checksum
            self.payloadBytes = Int(payloadBytes)
            self.count = Int(count)
            self.start = StreamPosition(sequence: sequence, hash: hashBefore)
            self.end = StreamPosition(sequence: sequence + Int64(count), hash: hashAfter)
            self.durable = durable
        }
    }

    static let payloadBytesMax = LogLimits.recordBytesMax + LogLimits.blockBytesMax

    /// The block at the front of some bytes; nil where it is not whole.
    ///
    /// The chain over its records is not computed here: a reader does so when it knows from where on.
    public init?(_ bytes: ArraySlice<UInt8>) {
        guard let header = Header(bytes), bytes.count >= header.byteCount else { return nil }
        let block = bytes.prefix(header.byteCount)
        let checksum = block.withUnsafeBytes { HashChain.checksum(UnsafeRawBufferPointer(rebasing: $0[8...])) }
        guard checksum == header.checksum,
            let records = RecordBuffer(checking: block.dropFirst(Self.headerBytes), count: header.count)
        else { return nil }
        self.init(run: RecordRun(start: header.start, end: header.end, records: records), durable: header.durable)
    }
}
