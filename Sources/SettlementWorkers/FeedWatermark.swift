import TradeModel

/// Up to where a stream is done: the records that are in work, in their order, and what is left of each.
///
/// Items end in any order. The mark moves over a record once all of its items have ended and those of all records
/// before it.
struct FeedWatermark: Sendable {
    /// A place to go on from. The hash is not known behind records that were skipped.
    struct Mark: Hashable, Sendable {
        var sequence: Int64
        var hash: UInt64?
    }

    private struct Record: Sendable {
        let hash: UInt64
        var openCount: Int
    }

    /// Everything up to here is done.
    private(set) var mark: Mark
    /// The records behind the mark. Those before the head are done.
    private var records: ContiguousArray<Record> = []
    private var head = 0
    /// Items that have not ended, and those of them that cannot.
    private var openCount = 0
    private var stuckCount = 0

    init(at mark: Mark) {
        self.mark = mark
    }

    /// The newest record that was begun.
    var newest: Int64 { mark.sequence + Int64(records.count - head) }

    /// Whether nothing is in work. What is stuck is not.
    var isIdle: Bool { openCount == stuckCount }

    /// Begins the next record.
    ///
    /// - Parameter hash: the one chained up to it.
    mutating func begin(hash: UInt64, itemCount: Int) {
        records.append(Record(hash: hash, openCount: itemCount))
        openCount += itemCount
        if itemCount == 0 { move() }
    }

    /// An item has come to an end at which the mark must not move over its record.
    mutating func stick() {
        stuckCount += 1
    }

    /// An item of a record has come to its end.
    mutating func complete(_ sequence: Int64) {
        let index = head + Int(sequence - mark.sequence) - 1
        precondition(records.indices.contains(index) && records[index].openCount > 0, "an item ends once")
        records[index].openCount -= 1
        openCount -= 1
        if index == head { move() }
    }

    private mutating func move() {
        while head < records.count, records[head].openCount == 0 {
            mark = Mark(sequence: mark.sequence + 1, hash: records[head].hash)
            head += 1
        }
        guard head > 1_024, head * 2 > records.count else { return }
        records.removeFirst(head)
        head = 0
    }
}
