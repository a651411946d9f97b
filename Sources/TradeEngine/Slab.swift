/// Places for values of one kind in one piece of memory, known by small numbers; what is given back is used again.
///
/// Nothing is allocated but when all places are taken: then they double.
struct Slab<Element: BitwiseCopyable>: ~Copyable {
    private(set) var base: UnsafeMutablePointer<Element>
    private var freePlaces: UnsafeMutablePointer<Int32>
    private var freeCount = 0
    private var capacity: Int
    /// How many places were ever taken at once; those that are free lie below it.
    private(set) var high = 0

    init(capacity: Int = 64) {
        self.capacity = capacity
        base = Memory.take(capacity, of: Element.self)
        freePlaces = .allocate(capacity: capacity)
    }

    deinit {
        base.deallocate()
        freePlaces.deallocate()
    }

    /// How many places are taken.
    var count: Int { high - freeCount }

    @inline(__always) mutating func insert(_ element: @autoclosure () -> Element) -> Int32 {
        let place = take()
        // It is made where it stays.
        (base + Int(place)).initialize(to: element())
        return place
    }

    @inline(__always) private mutating func take() -> Int32 {
        if freeCount > 0 {
            freeCount -= 1
            return freePlaces[freeCount]
        }
        if high == capacity { grow() }
        high += 1
        return Int32(truncatingIfNeeded: high - 1)
    }

    mutating func remove(_ place: Int32) {
        freePlaces[freeCount] = place
        freeCount += 1
    }

    /// Prepares for looking at a place; -1, which is none, does no harm.
    @inline(__always) func bringNear(_ place: Int32) {
        let address = UnsafeRawPointer(base) + Int(place) * MemoryLayout<Element>.stride
        Memory.bringNear(address)
        // What is larger than a cache line, or may begin in the middle of one, ends in another.
        if MemoryLayout<Element>.stride > 64 { Memory.bringNear(address + 64) }
    }

    subscript(place: Int32) -> Element {
        @inline(__always) _read {
            assert(place >= 0 && place < high)
            yield base[Int(place)]
        }
        @inline(__always) nonmutating _modify {
            assert(place >= 0 && place < high)
            yield &base[Int(place)]
        }
    }

    @inline(never) private mutating func grow() {
        let larger = capacity * 2
        let moved = Memory.take(larger, of: Element.self)
        moved.initialize(from: base, count: high)
        base.deallocate()
        base = moved
        // There is no free place when places run out.
        freePlaces.deallocate()
        freePlaces = .allocate(capacity: larger)
        capacity = larger
    }
}
