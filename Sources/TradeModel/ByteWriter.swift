/// Bytes that are written one value after the other, little-endian, into memory that is used again and again.
public struct ByteWriter: ~Copyable {
    @usableFromInline var base: UnsafeMutableRawPointer
    @usableFromInline var capacity: Int
    @usableFromInline var used = 0

    @inlinable public var count: Int { used }

    public init(capacity: Int = 4_096) {
        self.capacity = max(capacity, 64)
        base = .allocate(byteCount: self.capacity, alignment: 16)
    }

    deinit { base.deallocate() }

    /// What was written; valid until the next write.
    @inlinable public var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: used) }

    /// Takes back what was written behind some place.
    @inlinable public mutating func truncate(to count: Int) {
        precondition(count >= 0 && count <= used)
        used = count
    }

    @inlinable @inline(__always) mutating func reserve(_ byteCount: Int) {
        if capacity - used < byteCount { grow(by: byteCount) }
    }

    @usableFromInline @inline(never) mutating func grow(by byteCount: Int) {
        let larger = max(capacity * 2, used + byteCount)
        let moved = UnsafeMutableRawPointer.allocate(byteCount: larger, alignment: 16)
        moved.copyMemory(from: base, byteCount: used)
        base.deallocate()
        base = moved
        capacity = larger
    }

    @inlinable @inline(__always) public mutating func byte(_ value: UInt8) {
        reserve(1)
        base.storeBytes(of: value, toByteOffset: used, as: UInt8.self)
        used += 1
    }

    @inlinable @inline(__always) public mutating func uint32(_ value: UInt32) {
        reserve(4)
        base.storeBytes(of: value.littleEndian, toByteOffset: used, as: UInt32.self)
        used += 4
    }

    @inlinable @inline(__always) public mutating func uint64(_ value: UInt64) {
        reserve(8)
        base.storeBytes(of: value.littleEndian, toByteOffset: used, as: UInt64.self)
        used += 8
    }

    /// Puts a byte where one was written before.
    @inlinable public mutating func replaceByte(at offset: Int, _ value: UInt8) {
        precondition(offset >= 0 && offset < used)
        base.storeBytes(of: value, toByteOffset: offset, as: UInt8.self)
    }

    /// Puts a number where one was written before.
    @inlinable public mutating func replaceUInt32(at offset: Int, _ value: UInt32) {
        precondition(offset >= 0 && offset + 4 <= used)
        base.storeBytes(of: value.littleEndian, toByteOffset: offset, as: UInt32.self)
    }

    /// A number of any size in the fewest bytes: one that says how many, then those.
    @inlinable @inline(__always) public mutating func compact(_ value: UInt64) {
        reserve(9)
        let byteCount = (71 - value.leadingZeroBitCount) / 8
        base.storeBytes(of: UInt8(truncatingIfNeeded: byteCount), toByteOffset: used, as: UInt8.self)
        base.storeBytes(of: value.littleEndian, toByteOffset: used + 1, as: UInt64.self)
        used += 1 + byteCount
    }

    @inlinable @inline(__always) public mutating func compact(_ value: UInt128) {
        if value._high == 0 { return compact(value._low) }
        reserve(17)
        let byteCount = 8 + (71 - value._high.leadingZeroBitCount) / 8
        base.storeBytes(of: UInt8(truncatingIfNeeded: byteCount), toByteOffset: used, as: UInt8.self)
        base.storeBytes(of: value.littleEndian, toByteOffset: used + 1, as: UInt128.self)
        used += 1 + byteCount
    }

    /// A number with a sign: the sign goes into the lowest bit.
    @inlinable @inline(__always) public mutating func signedCompact(_ value: Int128) {
        compact(UInt128(bitPattern: (value << 1) ^ (value >> 127)))
    }

    @inlinable @inline(__always) public mutating func raw(_ bytes: UnsafeRawBufferPointer) {
        reserve(bytes.count)
        if let start = bytes.baseAddress { (base + used).copyMemory(from: start, byteCount: bytes.count) }
        used += bytes.count
    }

    /// A text of at most 255 bytes, behind a byte with its length.
    @inlinable @inline(__always) public mutating func text(_ bytes: UnsafeRawBufferPointer) {
        byte(UInt8(bytes.count))
        raw(bytes)
    }

    public mutating func text(_ text: String) {
        var text = text
        text.withUTF8 { self.text(UnsafeRawBufferPointer($0)) }
    }
}
