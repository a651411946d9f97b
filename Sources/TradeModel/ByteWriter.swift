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

    /// Makes room for so many bytes, which are then written through the cursor.
    @inlinable @inline(__always) public mutating func cursor(reserving byteCount: Int) -> ByteCursor {
        reserve(byteCount &+ ByteCursor.overhang)
        return ByteCursor(base + used)
    }

    /// What was written through a cursor counts from here on.
    @inlinable @inline(__always) public mutating func advance(to cursor: ByteCursor) {
        used = cursor.place - base
        assert(used >= 0 && used <= capacity)
    }

    @inlinable @inline(__always) mutating func write(_ byteCountMax: Int, _ body: (inout ByteCursor) -> Void) {
        var cursor = cursor(reserving: byteCountMax)
        body(&cursor)
        advance(to: cursor)
    }

    @inlinable @inline(__always) public mutating func byte(_ value: UInt8) { write(1) { $0.byte(value) } }
    @inlinable @inline(__always) public mutating func uint32(_ value: UInt32) { write(4) { $0.uint32(value) } }
    @inlinable @inline(__always) public mutating func uint64(_ value: UInt64) { write(8) { $0.uint64(value) } }

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
    @inlinable @inline(__always) public mutating func compact(_ value: UInt64) { write(9) { $0.compact(value) } }
    @inlinable @inline(__always) public mutating func compact(_ value: UInt128) { write(17) { $0.compact(value) } }

    /// A number with a sign: the sign goes into the lowest bit.
    @inlinable @inline(__always) public mutating func signedCompact(_ value: Int128) {
        write(17) { $0.signedCompact(value) }
    }

    @inlinable @inline(__always) public mutating func raw(_ bytes: UnsafeRawBufferPointer) {
        write(bytes.count) { $0.raw(bytes) }
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
