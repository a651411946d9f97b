/// Finds small numbers again by a hash: an open table.
struct HashedPlaces {
    private var places: ContiguousArray<Int32>
    private var mask: Int

    /// - Parameter countMax: how many are put in at most, unless room is made for more.
    init(countMax: Int) {
        let size = Self.size(for: countMax)
        places = ContiguousArray(repeating: -1, count: size)
        mask = size - 1
    }

    private static func size(for count: Int) -> Int {
        var size = 16
        while size < count * 2 { size *= 2 }
        return size
    }

    /// The number that was put in under this hash and is the one meant; nil when there is none.
    func find(_ hash: Int, where isMeant: (Int32) -> Bool) -> Int32? {
        var bucket = hash & mask
        while places[bucket] >= 0 {
            if isMeant(places[bucket]) { return places[bucket] }
            bucket = (bucket + 1) & mask
        }
        return nil
    }

    mutating func insert(_ place: Int32, under hash: Int) {
        var bucket = hash & mask
        while places[bucket] >= 0 { bucket = (bucket + 1) & mask }
        places[bucket] = place
    }

    mutating func removeAll() {
        for bucket in places.indices { places[bucket] = -1 }
    }

    /// Makes the table larger where it would be too small.
    ///
    /// - Parameter hash: says again under what a number was put in.
    mutating func makeRoom(for count: Int, hash: (Int32) -> Int) {
        guard count * 2 > places.count else { return }
        let all = places
        self = Self(countMax: count)
        for place in all where place >= 0 { insert(place, under: hash(place)) }
    }

    /// A hash of a small number. Neighbours are to lie apart, so that searches stay short.
    static func hash(of number: Int32) -> Int {
        Int(truncatingIfNeeded: (UInt64(truncatingIfNeeded: number) &* 0x9e37_79b9_7f4a_7c15) >> 32)
    }
}
