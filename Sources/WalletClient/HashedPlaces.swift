/// Finds small numbers again by a hash: an open table that is made for a batch, with room for all that it will hold.
struct HashedPlaces {
    private var places: ContiguousArray<Int32>
    private let mask: Int

    /// - Parameter countMax: how many are put in at most.
    init(countMax: Int) {
        var size = 16
        while size < countMax * 2 { size *= 2 }
        places = ContiguousArray(repeating: -1, count: size)
        mask = size - 1
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
}
