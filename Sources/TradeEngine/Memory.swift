import CMemory

#if canImport(Glibc)
    import Glibc
#endif

/// Memory for many values of one kind, which are looked for all over it.
enum Memory {
    /// Begins to bring a value into the cache before it is looked at. What is slow here is to wait for memory: where
    /// several places are known that will be needed, they are waited for together.
    @inline(__always) static func bringNear(_ address: UnsafeRawPointer) { bring_near(address) }

    private static let hugePageByteCount = 1 << 21

    /// In whole cache lines, so that what fits into one is in one. Where a huge page is filled, the system is asked for
    /// those: the places of so many small ones the processor does not remember.
    static func take<Element: BitwiseCopyable>(
        _ count: Int, of type: Element.Type
    ) -> UnsafeMutablePointer<Element> {
        let byteCount = count * MemoryLayout<Element>.stride
        guard byteCount >= hugePageByteCount else {
            return UnsafeMutableRawPointer.allocate(byteCount: byteCount, alignment: 64)
                .bindMemory(to: type, capacity: count)
        }
        let whole = (byteCount + hugePageByteCount - 1) / hugePageByteCount * hugePageByteCount
        let start = UnsafeMutableRawPointer.allocate(byteCount: whole, alignment: hugePageByteCount)
        #if canImport(Glibc)
            // Only a wish: where it is refused, all is as it was.
            _ = madvise(start, whole, Int32(MADV_HUGEPAGE))
        #endif
        return start.bindMemory(to: type, capacity: count)
    }
}
