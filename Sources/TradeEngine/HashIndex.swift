/// Finds numbers by the hash of what they stand for; whoever asks compares the thing itself.
///
/// Open addressing with linear probing; what is removed leaves no trace, so that lookups stay as short as they were. An
/// entry holds the upper half of the hash beside the number: most wrong ones are passed without a look at the thing.
struct HashIndex: ~Copyable {
    private var entries: UnsafeMutablePointer<UInt64>
    private var mask: Int
    private(set) var count = 0

    init(capacity: Int = 64) {
        var size = 64
        while size * 3 < capacity * 4 { size *= 2 }
        entries = Memory.take(size, of: UInt64.self)
        entries.initialize(repeating: 0, count: size)
        mask = size - 1
    }

    deinit { entries.deallocate() }

    private static func entry(_ hash: UInt64, _ number: UInt32) -> UInt64 {
        hash & 0xffff_ffff_0000_0000 | UInt64(number) + 1
    }

    private func home(_ entry: UInt64) -> Int { Int(truncatingIfNeeded: entry >> 32) & mask }

    /// The number for which the comparison holds; nil where there is none.
    @inline(__always) func find(_ hash: UInt64, where isIt: (UInt32) -> Bool) -> UInt32? {
        var place = home(hash)
        while true {
            let entry = entries[place]
            if entry == 0 { return nil }
            if entry >> 32 == hash >> 32 {
                let number = UInt32(truncatingIfNeeded: entry) - 1
                if isIt(number) { return number }
            }
            place = (place + 1) & mask
        }
    }

    /// The number that is most likely found, told without a look at what it stands for.
    @inline(__always) func likely(_ hash: UInt64) -> UInt32? { find(hash) { _ in true } }

    /// Prepares for looking for a hash.
    @inline(__always) func bringNear(_ hash: UInt64) { Memory.bringNear(entries + home(hash)) }

    /// Takes in what is not there.
    @inline(__always) mutating func insert(_ hash: UInt64, _ number: UInt32) {
        if (count + 1) * 4 > (mask + 1) * 3 { grow() }
        put(Self.entry(hash, number))
        count += 1
    }

    private func put(_ entry: UInt64) {
        var place = home(entry)
        while entries[place] != 0 { place = (place + 1) & mask }
        entries[place] = entry
    }

    private func place(of entry: UInt64) -> Int {
        var place = home(entry)
        while entries[place] != entry {
            precondition(entries[place] != 0, "what is removed was inserted")
            place = (place + 1) & mask
        }
        return place
    }

    /// Lets the same thing go by another number.
    func replace(_ hash: UInt64, _ old: UInt32, by new: UInt32) {
        entries[place(of: Self.entry(hash, old))] = Self.entry(hash, new)
    }

    mutating func remove(_ hash: UInt64, _ number: UInt32) {
        var hole = place(of: Self.entry(hash, number))
        var next = hole
        // What follows moves up as long as it does not come before its home.
        while true {
            next = (next + 1) & mask
            let entry = entries[next]
            if entry == 0 { break }
            if (next - home(entry)) & mask >= (next - hole) & mask {
                entries[hole] = entry
                hole = next
            }
        }
        entries[hole] = 0
        count -= 1
    }

    @inline(never) private mutating func grow() {
        let old = entries
        let oldCount = mask + 1
        entries = Memory.take(oldCount * 2, of: UInt64.self)
        entries.initialize(repeating: 0, count: oldCount * 2)
        mask = oldCount * 2 - 1
        for place in 0..<oldCount where old[place] != 0 { put(old[place]) }
        old.deallocate()
    }
}
