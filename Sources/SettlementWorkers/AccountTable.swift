import TradeModel

/// The accounts that have something queued or in flight, each under a small number.
///
/// A hash table with linear probing that keeps each hash, so that an id is hashed once when its item arrives and
/// never again. Accounts leave when nothing of theirs is left: the table is as large as the queue, not as the bank.
struct AccountTable {
    typealias Number = Int32
    static let none: Number = -1

    struct Account {
        var id: Identifier
        var hash: Int
        /// The lane that has items of this account, and how many.
        var lane: Int32 = -1
        var held: Int32 = 0
        /// The items of this account that are set aside, oldest first, as a list through the slots.
        var firstBlocked: Int32 = -1
        var lastBlocked: Int32 = -1

        var isUnused: Bool { held == 0 && firstBlocked < 0 }
    }

    private var accounts: ContiguousArray<Account> = []
    private var unusedNumbers: ContiguousArray<Number> = []
    private var buckets: ContiguousArray<Number>
    private var mask: Int

    init() {
        buckets = ContiguousArray(repeating: Self.none, count: 64)
        mask = 63
    }

    var count: Int { accounts.count - unusedNumbers.count }

    subscript(number: Number) -> Account {
        _read { yield accounts[Int(number)] }
        _modify { yield &accounts[Int(number)] }
    }

    /// The number of an account, which gets one if it has none.
    mutating func number(of id: Identifier) -> Number {
        let hash = id.hashValue
        var bucket = hash & mask
        while true {
            let number = buckets[bucket]
            if number < 0 { break }
            if accounts[Int(number)].hash == hash, accounts[Int(number)].id == id { return number }
            bucket = (bucket + 1) & mask
        }
        let number: Number
        if let unused = unusedNumbers.popLast() {
            number = unused
            accounts[Int(number)] = Account(id: id, hash: hash)
        } else {
            number = Number(accounts.count)
            accounts.append(Account(id: id, hash: hash))
        }
        buckets[bucket] = number
        if count * 2 > buckets.count { grow() }
        return number
    }

    mutating func remove(_ number: Number) {
        var hole = accounts[Int(number)].hash & mask
        while buckets[hole] != number { hole = (hole + 1) & mask }
        // Whoever probed past the hole moves up, so that no search ends at it too early.
        var next = (hole + 1) & mask
        while buckets[next] >= 0 {
            let home = accounts[Int(buckets[next])].hash & mask
            if (next - home) & mask >= (next - hole) & mask {
                buckets[hole] = buckets[next]
                hole = next
            }
            next = (next + 1) & mask
        }
        buckets[hole] = Self.none
        unusedNumbers.append(number)
    }

    private mutating func grow() {
        let numbers = buckets.filter { $0 >= 0 }
        mask = buckets.count * 2 - 1
        buckets = ContiguousArray(repeating: Self.none, count: mask + 1)
        for number in numbers {
            var bucket = accounts[Int(number)].hash & mask
            while buckets[bucket] >= 0 { bucket = (bucket + 1) & mask }
            buckets[bucket] = number
        }
    }
}
