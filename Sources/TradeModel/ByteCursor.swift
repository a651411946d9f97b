/// Where the next byte goes, in room that a `ByteWriter` made for all that is written through it: nothing is asked for
/// each value, and where it goes stays in a register.
public struct ByteCursor {
    @usableFromInline var place: UnsafeMutableRawPointer

    /// So many bytes behind its own may a value touch, since it is put there in whole words.
    @usableFromInline static let overhang = 16

    @usableFromInline init(_ place: UnsafeMutableRawPointer) {
        self.place = place
    }

    @inlinable @inline(__always) public mutating func byte(_ value: UInt8) {
        place.storeBytes(of: value, as: UInt8.self)
        place += 1
    }

    @inlinable @inline(__always) public mutating func uint32(_ value: UInt32) {
        place.storeBytes(of: value.littleEndian, as: UInt32.self)
        place += 4
    }

    @inlinable @inline(__always) public mutating func uint64(_ value: UInt64) {
        place.storeBytes(of: value.littleEndian, as: UInt64.self)
        place += 8
    }

    /// A number of any size in the fewest bytes: one that says how many, then those.
    @inlinable @inline(__always) public mutating func compact(_ value: UInt64) {
        let byteCount = (71 &- value.leadingZeroBitCount) &>> 3
        place.storeBytes(of: UInt8(truncatingIfNeeded: byteCount), as: UInt8.self)
        place.storeBytes(of: value.littleEndian, toByteOffset: 1, as: UInt64.self)
        place += 1 &+ byteCount
    }

    @inlinable @inline(__always) public mutating func compact(_ value: UInt128) {
        if value._high == 0 { return compact(value._low) }
        let byteCount = 8 &+ (71 &- value._high.leadingZeroBitCount) &>> 3
        place.storeBytes(of: UInt8(truncatingIfNeeded: byteCount), as: UInt8.self)
        place.storeBytes(of: value.littleEndian, toByteOffset: 1, as: UInt128.self)
        place += 1 &+ byteCount
    }

    /// A number with a sign: the sign goes into the lowest bit.
    @inlinable @inline(__always) public mutating func signedCompact(_ value: Int128) {
        compact(UInt128(bitPattern: (value &<< 1) ^ (value &>> 127)))
    }

    /// An amount that is not negative.
    @inlinable @inline(__always) public mutating func amount(_ units: Int128) {
        compact(UInt128(bitPattern: units))
    }

    @inlinable @inline(__always) public mutating func raw(_ bytes: UnsafeRawBufferPointer) {
        if let start = bytes.baseAddress { place.copyMemory(from: start, byteCount: bytes.count) }
        place += bytes.count
    }

    /// A few bytes, word by word: from `start` on there are eight bytes for each that is begun.
    @inlinable @inline(__always) public mutating func words(_ start: UnsafeRawPointer, _ byteCount: Int) {
        var offset = 0
        while offset < byteCount {
            place.storeBytes(
                of: start.loadUnaligned(fromByteOffset: offset, as: UInt64.self), toByteOffset: offset, as: UInt64.self)
            offset &+= 8
        }
        place += byteCount
    }
}
