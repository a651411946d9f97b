import TradeModel

/// Those who wait for room in the queue, in the order in which they came.
struct SubmitterLine {
    /// Somebody with items of which the first ones may be in already.
    struct Submitter {
        let ticket: PoolState.Ticket
        let items: [SettlementItem]
        let submittedAt: Duration
        var taken = 0

        var isDone: Bool { taken == items.count }
        var next: SettlementItem { items[taken] }
    }

    private var submitters: [Submitter] = []
    private var head = 0

    var isEmpty: Bool { head == submitters.count }

    /// The one whose turn it is; there must be one.
    var first: Submitter {
        get { submitters[head] }
        _modify { yield &submitters[head] }
    }

    mutating func append(_ submitter: Submitter) {
        submitters.append(submitter)
    }

    mutating func removeFirst() {
        head += 1
        if head * 2 > submitters.count {
            submitters.removeFirst(head)
            head = 0
        }
    }

    /// Lets somebody go; nil when that one is not waiting any more.
    mutating func remove(_ ticket: PoolState.Ticket) -> Submitter? {
        submitters[head...].firstIndex { $0.ticket == ticket }.map { submitters.remove(at: $0) }
    }

    mutating func removeAll() -> [Submitter] {
        defer {
            submitters = []
            head = 0
        }
        return Array(submitters[head...])
    }
}
