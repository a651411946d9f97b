/// Bytes under construction for the wire, in network order.
///
/// A raw pointer, since encoding is on the hot path: appending an integer to `[UInt8]` costs ten times as much.
final class BinaryBuffer {
    private(set) var start: UnsafeMutableRawPointer
    private(set) var count = 0
    private var capacity: Int

    init(capacity: Int = 64) {
        self.capacity = max(16, capacity)
        start = .allocate(byteCount: self.capacity, alignment: 8)
    }

    deinit {
        start.deallocate()
    }

    @inline(__always)
    func append<Integer: FixedWidthInteger>(_ value: Integer) {
        reserve(MemoryLayout<Integer>.size)
        start.storeBytes(of: value.bigEndian, toByteOffset: count, as: Integer.self)
        count += MemoryLayout<Integer>.size
    }

    func append(_ bytes: UnsafeRawBufferPointer) {
        guard let source = bytes.baseAddress else { return }
        reserve(bytes.count)
        (start + count).copyMemory(from: source, byteCount: bytes.count)
        count += bytes.count
    }

    /// Overwrites an integer that was appended before its value was known.
    func patch(_ value: Int32, at offset: Int) {
        start.storeBytes(of: value.bigEndian, toByteOffset: offset, as: Int32.self)
    }

    @inline(__always)
    private func reserve(_ more: Int) {
        if count + more > capacity { grow(to: count + more) }
    }

    private func grow(to needed: Int) {
        let larger = max(needed, capacity * 2)
        let moved = UnsafeMutableRawPointer.allocate(byteCount: larger, alignment: 8)
        moved.copyMemory(from: start, byteCount: count)
        start.deallocate()
        start = moved
        capacity = larger
    }
}
