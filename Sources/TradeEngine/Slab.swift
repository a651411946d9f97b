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
        base = Self.memory(capacity)
        freePlaces = .allocate(capacity: capacity)
    }

    deinit {
        base.deallocate()
        freePlaces.deallocate()
    }

    /// In whole cache lines, so that what fits into one is in one.
    private static func memory(_ capacity: Int) -> UnsafeMutablePointer<Element> {
        UnsafeMutableRawPointer.allocate(byteCount: capacity * MemoryLayout<Element>.stride, alignment: 64)
            .bindMemory(to: Element.self, capacity: capacity)
    }

    /// How many places are taken.
    var count: Int { high - freeCount }

    mutating func insert(_ element: Element) -> Int32 {
        let place: Int32
        if freeCount > 0 {
            freeCount -= 1
            place = freePlaces[freeCount]
        } else {
            if high == capacity { grow() }
            place = Int32(truncatingIfNeeded: high)
            high += 1
        }
        base[Int(place)] = element
        return place
    }

    mutating func remove(_ place: Int32) {
        freePlaces[freeCount] = place
        freeCount += 1
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
        let moved = Self.memory(larger)
        moved.initialize(from: base, count: high)
        base.deallocate()
        base = moved
        // There is no free place when places run out.
        freePlaces.deallocate()
        freePlaces = .allocate(capacity: larger)
        capacity = larger
    }
}
