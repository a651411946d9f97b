/// Rows in the binary form of COPY, to be sent as they are, any number of times.
public final class CopyRows {
    private let buffer = BinaryBuffer(capacity: 65_536)

    public init() {
        "PGCOPY\n".utf8.forEach { buffer.append($0) }
        for byte: UInt8 in [0xff, 0x0d, 0x0a, 0x00] { buffer.append(byte) }
        buffer.append(Int32(0))  // flags
        buffer.append(Int32(0))  // the length of more header
    }

    /// Appends a row and returns where the bytes of each of its values begin.
    @discardableResult
    public func append(_ row: [Parameter]) -> [Int] {
        buffer.append(Int16(row.count))
        return row.map { value in
            guard let bytes = value.buffer else {
                buffer.append(Int32(-1))
                return buffer.count
            }
            buffer.append(Int32(bytes.count))
            buffer.append(UnsafeRawBufferPointer(start: bytes.start, count: bytes.count))
            return buffer.count - bytes.count
        }
    }

    /// Ends the rows.
    public func finish() { buffer.append(Int16(-1)) }

    /// Puts other bytes in the place of some: the same rows with other keys.
    public func overwrite(at offset: Int, with bytes: some Collection<UInt8>) {
        precondition(offset + bytes.count <= buffer.count)
        for (place, byte) in bytes.enumerated() {
            buffer.start.storeBytes(of: byte, toByteOffset: offset + place, as: UInt8.self)
        }
    }

    public func withBytes<Value>(_ body: (UnsafeRawBufferPointer) throws -> Value) rethrows -> Value {
        try body(UnsafeRawBufferPointer(start: buffer.start, count: buffer.count))
    }
}
