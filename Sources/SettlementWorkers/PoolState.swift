import ServiceKit
import TradeModel

/// The queue and the pool as a state machine: who may submit, which worker gets what, who waits for whom.
///
/// It knows neither threads nor time. Each call changes the state and says what is to be done about it. Items sit
/// in slots from admission to their end; queues are lists through the slots, so that nothing is moved or allocated
/// for an item on its way.
struct PoolState {
    /// Names a submitter that waits for room.
    typealias Ticket = UInt64
    typealias SlotNumber = Int32
    static let none: Int32 = -1

    enum Answer: Hashable {
        case taken
        case waiting
        case refused(PoolError)
    }

    /// What the caller has to do after a change.
    struct Action {
        /// Batches for workers that were ready.
        var starts: [Batch] = []
        /// Lanes whose ready worker may go home: there will be no more work.
        var dismissed: [Int] = []
        /// Submitters that waited, and what they are to be told.
        var answers: [(ticket: Ticket, answer: Answer)] = []
    }

    enum Phase { case open, closing, stopped }

    let capacity: Int
    let batchSizeMax: Int
    /// The same in bytes received: a thousand trades are little, a thousand large messages that are none are much.
    /// The item that reaches the bound of the queue is still let in; a batch has one item at least.
    private let queueBytesMax: Int
    private let batchBytesMax: Int
    /// How many batches can be written at once.
    let connectionCount: Int
    /// How many batches are begun at most, those of workers that pause not counted: more would wait for a connection
    /// where they cannot grow. With those that pause they are as many as there are lanes.
    var batchCountMax: Int { connectionCount + 1 }
    /// A lane with so many waiting has a full batch. With a queue too short for one, half of it is.
    let fullBatchSize: Int

    private(set) var phase = Phase.open
    /// How many items wait, in lanes or set aside.
    private(set) var waitingCount = 0
    private var waitingBytes = 0
    /// Those of them that are set aside.
    var blockedCount = 0
    private(set) var inFlightCount = 0
    private(set) var submittedCount = 0

    var slots: ContiguousArray<Slot> = []
    var lanes: [Lane]
    var accounts = AccountTable()
    /// Accounts that no lane holds any more, until it is seen who waited for them.
    var released: [AccountTable.Number] = []

    private var unusedSlots: ContiguousArray<SlotNumber> = []
    private var submitters = SubmitterLine()
    private var leftovers: [(sequence: UInt64, item: SettlementItem)] = []

    init(
        capacity: Int, laneCount: Int, batchSizeMax: Int, connectionCount: Int? = nil, queueBytesMax: Int = .max,
        batchBytesMax: Int = .max
    ) {
        precondition(capacity > 0 && laneCount > 0 && batchSizeMax > 0)
        self.capacity = capacity
        self.batchSizeMax = batchSizeMax
        self.connectionCount = connectionCount ?? laneCount
        self.queueBytesMax = queueBytesMax
        self.batchBytesMax = batchBytesMax
        fullBatchSize = min(batchSizeMax, max(1, capacity / 2))
        lanes = Array(repeating: Lane(), count: laneCount)
    }

    var isIdle: Bool { waitingCount == 0 && inFlightCount == 0 && submitters.isEmpty }

    /// Whether more comes than is settled.
    var isCrowded: Bool { waitingCount * 2 >= capacity }

    private var hasRoom: Bool { waitingCount < capacity && waitingBytes < queueBytesMax }

    // MARK: Submitting

    /// Takes the items in order as far as there is room; the rest wait under the ticket, behind those who came before.
    mutating func submit(_ items: [SettlementItem], ticket: Ticket, at time: Duration) -> (Answer, Action) {
        guard phase == .open else { return (.refused(.closed(taken: 0)), Action()) }
        var submitter = SubmitterLine.Submitter(ticket: ticket, items: items, submittedAt: time)
        if submitters.isEmpty { admit(&submitter) }
        if !submitter.isDone { submitters.append(submitter) }
        // The caller has its answer at once; what starting workers frees may complete the ticket in the action.
        return (submitter.isDone ? .taken : .waiting, advance())
    }

    /// Takes one item if there is room and nobody waits for it.
    mutating func trySubmit(_ item: SettlementItem, at time: Duration) throws(PoolError) -> Action {
        guard phase == .open else { throw .closed(taken: 0) }
        guard submitters.isEmpty, hasRoom else { throw .full }
        admit(item, at: time)
        return advance()
    }

    /// Takes the first of the items as far as there is room and nobody waits for it; says how many those were.
    mutating func submitWhatFits(_ items: ArraySlice<SettlementItem>, at time: Duration) throws(PoolError) -> (
        Int, Action
    ) {
        guard phase == .open else { throw .closed(taken: 0) }
        guard submitters.isEmpty else { return (0, Action()) }
        var taken = 0
        var action = Action()
        while taken < items.count, hasRoom {
            admit(items[items.startIndex + taken], at: time)
            taken += 1
            guard taken == items.count || !hasRoom else { continue }
            // What starts makes room at once.
            let following = advance()
            action.starts += following.starts
            action.dismissed += following.dismissed
            action.answers += following.answers
        }
        return (taken, action)
    }

    /// Ends the wait of a submitter; nil when it is not waiting any more.
    mutating func withdraw(_ ticket: Ticket) -> Answer? {
        submitters.remove(ticket).map { .refused(.cancelled(taken: $0.taken)) }
    }

    private mutating func admit(_ submitter: inout SubmitterLine.Submitter) {
        while !submitter.isDone, hasRoom {
            admit(submitter.next, at: submitter.submittedAt)
            submitter.taken += 1
        }
    }

    private mutating func admit(_ item: SettlementItem, at time: Duration) {
        let number: SlotNumber
        if let unused = unusedSlots.popLast() {
            number = unused
        } else {
            number = SlotNumber(slots.count)
            slots.append(Slot())
        }
        let ids = item.accounts
        let first = ids.first.map { accounts.number(of: $0) } ?? AccountTable.none
        let second = ids.second.map { accounts.number(of: $0) } ?? AccountTable.none
        let index = Int(number)
        slots[index].item = item
        slots[index].submittedAt = time
        slots[index].sequence = UInt64(submittedCount)
        slots[index].first = first
        slots[index].second = second
        submittedCount += 1
        waitingCount += 1
        waitingBytes += item.payload.count
        route(number)
    }

    // MARK: Workers

    /// A hand of a lane's worker asks for work.
    ///
    /// - Parameter isFirst: whether it does for the first time, and not after a batch.
    mutating func ready(_ lane: Int, isFirst: Bool = false) -> Action {
        lanes[lane].readyCount += 1
        if !isFirst { lanes[lane].busyCount = max(0, lanes[lane].busyCount - 1) }
        if lanes[lane].busyCount == 0 {
            lanes[lane].isStalled = false
            lanes[lane].isStumbling = false
        }
        return advance()
    }

    /// A lane's batch takes more than one try.
    mutating func stumble(_ lane: Int) {
        lanes[lane].isStumbling = true
    }

    /// Items of a lane's batch have come to their end.
    mutating func complete(_ numbers: some Sequence<SlotNumber>, of lane: Int) -> Action {
        for number in numbers {
            precondition(slots[Int(number)].place == .inFlight, "an item ends once")
            release(number)
            retire(number)
            lanes[lane].inFlight -= 1
            inFlightCount -= 1
        }
        unblock()
        return advance()
    }

    /// The worker of a lane pauses after a failure. What it keeps holds its accounts; everything else that waits for
    /// it, and what it gives back of its batch, goes to lanes that are not held up, as far as order allows.
    mutating func stall(_ lane: Int, givingBack batch: Batch) -> Action {
        lanes[lane].isStalled = true
        return giveBack(batch)
    }

    /// Takes back what was begun and not settled. It and all that waits with it or for it is put into lanes anew, in
    /// the order in which it came.
    mutating func giveBack(_ batch: Batch) -> Action {
        let lane = batch.lane
        takeBack(batch)
        guard phase != .stopped else { return Action() }
        var moved: [SlotNumber] = []
        for number in slots.indices.lazy.map({ SlotNumber($0) }) where slots[Int(number)].place == .blocked {
            forgetBlocked(number)
            moved.append(number)
        }
        var next = lanes[lane].head
        while next >= 0 {
            release(next)
            moved.append(next)
            next = slots[Int(next)].next
        }
        lanes[lane].head = Self.none
        lanes[lane].tail = Self.none
        lanes[lane].waiting = 0
        moved += batch.slots
        moved.sort { slots[Int($0)].sequence < slots[Int($1)].sequence }
        blockedCount = 0
        released.removeAll(keepingCapacity: true)
        for number in moved { route(number) }
        return advance()
    }

    mutating func resume(_ lane: Int) {
        lanes[lane].isStalled = false
    }

    private mutating func takeBack(_ batch: Batch) {
        for (number, item) in zip(batch.slots, batch.items) {
            slots[Int(number)].item = item
            slots[Int(number)].place = .waiting
            waitingBytes += item.payload.count
            release(number)
        }
        lanes[batch.lane].inFlight -= batch.slots.count
        inFlightCount -= batch.slots.count
        waitingCount += batch.slots.count
        if phase == .stopped { setAsideLeftovers(batch.slots) }
    }

    /// Everything that follows from a change: those who wait for room come in, workers that are ready start.
    private mutating func advance() -> Action {
        var action = Action()
        if phase == .stopped {
            dismissReadyWorkers(&action)
            return action
        }
        while true {
            while !submitters.isEmpty, hasRoom {
                var submitter = submitters.first
                admit(&submitter)
                submitters.first.taken = submitter.taken
                guard submitter.isDone else { break }
                action.answers.append((submitter.ticket, .taken))
                submitters.removeFirst()
            }
            guard let lane = nextToStart() else { break }
            action.starts.append(take(lane))
        }
        if phase == .closing, isIdle { dismissReadyWorkers(&action) }
        return action
    }

    private mutating func take(_ lane: Int) -> Batch {
        let countMax = min(lanes[lane].waiting, batchSizeMax)
        var batch = Batch(lane: lane)
        batch.items.reserveCapacity(countMax)
        batch.slots.reserveCapacity(countMax)
        batch.submittedAt.reserveCapacity(countMax)
        var bytes = 0
        var number = lanes[lane].head
        while batch.slots.count < countMax {
            let index = Int(number)
            bytes += slots[index].item!.payload.count
            if bytes > batchBytesMax, !batch.slots.isEmpty { break }
            let item = slots[index].item.take()!
            waitingBytes -= item.payload.count
            batch.items.append(item)
            batch.submittedAt.append(slots[index].submittedAt)
            batch.slots.append(number)
            slots[index].place = .inFlight
            number = slots[index].next
        }
        let count = batch.slots.count
        lanes[lane].head = number
        if number < 0 { lanes[lane].tail = Self.none }
        lanes[lane].waiting -= count
        lanes[lane].inFlight += count
        for other in lanes.indices where other != lane && lanes[other].canStart(fullBatchSize: fullBatchSize) {
            lanes[other].passedOver += 1
        }
        lanes[lane].passedOver = 0
        lanes[lane].readyCount -= 1
        lanes[lane].busyCount += 1
        waitingCount -= count
        inFlightCount += count
        return batch
    }

    // MARK: Ending

    /// Nothing more is taken; what is queued is still settled.
    mutating func close() -> Action {
        guard phase == .open else { return Action() }
        phase = .closing
        var action = Action()
        refuseSubmitters(&action)
        let following = advance()
        action.starts = following.starts
        action.dismissed = following.dismissed
        return action
    }

    /// Nothing more is started: what waits becomes leftovers, what is in flight ends or is given back.
    mutating func stop() -> Action {
        guard phase != .stopped else { return Action() }
        phase = .stopped
        var action = Action()
        refuseSubmitters(&action)
        var queued: [SlotNumber] = []
        for number in slots.indices.lazy.map({ SlotNumber($0) }) {
            switch slots[Int(number)].place {
            case .blocked: forgetBlocked(number)
            case .waiting: release(number)
            case .unused, .inFlight: continue
            }
            queued.append(number)
        }
        for lane in lanes.indices {
            lanes[lane].head = Self.none
            lanes[lane].tail = Self.none
            lanes[lane].waiting = 0
        }
        blockedCount = 0
        setAsideLeftovers(queued)
        dismissReadyWorkers(&action)
        return action
    }

    /// What was not settled when the pool was stopped, in the order in which it came.
    mutating func removeLeftovers() -> [SettlementItem] {
        defer { leftovers = [] }
        return leftovers.sorted { $0.sequence < $1.sequence }.map(\.item)
    }

    private mutating func setAsideLeftovers(_ numbers: [SlotNumber]) {
        for number in numbers {
            let item = slots[Int(number)].item.take()!
            waitingBytes -= item.payload.count
            leftovers.append((slots[Int(number)].sequence, item))
            retire(number)
        }
        waitingCount -= numbers.count
        forgetReleased()
    }

    private mutating func refuseSubmitters(_ action: inout Action) {
        for submitter in submitters.removeAll() {
            action.answers.append((submitter.ticket, .refused(.closed(taken: submitter.taken))))
        }
    }

    private mutating func dismissReadyWorkers(_ action: inout Action) {
        for lane in lanes.indices {
            action.dismissed += Array(repeating: lane, count: lanes[lane].readyCount)
            lanes[lane].readyCount = 0
        }
    }

    private mutating func retire(_ number: SlotNumber) {
        slots[Int(number)].place = .unused
        unusedSlots.append(number)
    }
}
