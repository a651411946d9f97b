/// Remembers which trades were seen lately, by the hashes of their keys, in a table that never grows. It only says
/// where a look is worth its cost: a trade that is forgotten, or found by mistake, is still decided by the database.
struct RecentTrades {
    private var hashes: ContiguousArray<Int>
    private let mask: Int

    /// - Parameter countMax: how many are remembered, rounded up to a power of two.
    init(countMax: Int) {
        var size = 2
        while size < countMax { size *= 2 }
        hashes = ContiguousArray(repeating: 0, count: size)
        mask = size - 1
    }

    func mayContain(_ hash: Int) -> Bool { hashes[hash & mask] == hash }

    mutating func insert(_ hash: Int) { hashes[hash & mask] = hash }
}
