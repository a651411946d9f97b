import ServiceKit
import TradeModel
import WalletClient

/// A bounded queue of items to be settled, and the workers that settle them in batches.
///
/// The rules are in ``PoolState`` and ``BatchProgress``; this actor carries out what they say. The workers live in
/// ``run()``: whoever calls it owns them.
public actor SettlementPool {
    let wallet: any SettlementWallet
    let clock: any Clock<Duration>
    let policy: Guarded<RetryPolicy>
    let seed: UInt64
    /// Called by a worker once for each commit, before anyone else may settle for the same accounts.
    let onCompletion: @Sendable ([Completion]) -> Void
    /// Where the shielded writes run; nil is the usual place.
    let executor: (any TaskExecutor)?
    private let elapsed: @Sendable () -> Duration
    /// Whether more comes than is settled; read from outside the actor.
    nonisolated let isCrowded = Guarded(false)

    /// A batch, and which one it follows.
    struct Assignment: Sendable {
        let batch: PoolState.Batch
        let turn: Turn
    }

    /// With two hands a worker prepares a batch while the one before it is written.
    private static let handCount = 2

    private var state: PoolState
    private var counters = PoolSnapshot.Counters()
    private var activities: [PoolSnapshot.Activity]
    private var records: [PoolSnapshot.WorkerRecord]
    private var runningHands = 0
    private var hasRun = false

    private var lastTicket: PoolState.Ticket = 0
    private var submitters: [PoolState.Ticket: CheckedContinuation<PoolState.Answer, Never>] = [:]
    /// The hands of each worker that have nothing to do.
    private var readyHands: [[CheckedContinuation<Assignment?, Never>]]
    private var latestTurns: [Turn?]
    private var idleWaiters: [PoolState.Ticket: CheckedContinuation<Void, Never>] = [:]
    private var endWaiters: [CheckedContinuation<Void, Never>] = []
    private var supervisor: CheckedContinuation<Void, Never>?

    /// - Parameter executor: where the pool runs its unstructured tasks; a test passes one that replays an order.
    public init(
        wallet: any SettlementWallet, limits: Limits, clock: any Clock<Duration> = ContinuousClock(),
        seed: UInt64 = .random(in: .min ... .max), executor: (any TaskExecutor)? = nil,
        onCompletion: @escaping @Sendable ([Completion]) -> Void = { _ in }
    ) {
        self.wallet = wallet
        self.clock = clock
        self.seed = seed
        self.executor = executor
        self.onCompletion = onCompletion
        policy = Guarded(RetryPolicy(limits))
        elapsed = stopwatch(clock)
        state = PoolState(
            capacity: limits.queueCapacity, laneCount: limits.workerCount, batchSizeMax: limits.batchSizeMax,
            connectionCount: limits.connections, queueBytesMax: limits.queueBytesMax,
            batchBytesMax: limits.batchBytesMax)
        activities = Array(repeating: .idle, count: limits.workerCount)
        records = Array(repeating: PoolSnapshot.WorkerRecord(), count: limits.workerCount)
        readyHands = Array(repeating: [], count: limits.workerCount)
        latestTurns = Array(repeating: nil, count: limits.workerCount)
    }

    /// Takes over how often and after what pauses batches are repeated, from the next batch on.
    public nonisolated func reload(_ limits: Limits) {
        policy.withLock { $0 = RetryPolicy(limits) }
    }

    // MARK: Submitting

    /// Takes the items in their order. Where the queue is full it waits for room, behind those who came before.
    ///
    /// - Throws: `closed` or `cancelled`, with the number of items that were taken and will be settled.
    public func submit(_ items: [SettlementItem]) async throws(PoolError) {
        lastTicket += 1
        let ticket = lastTicket
        let answer = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let (answer, action) = state.submit(items, ticket: ticket, at: elapsed())
                if answer == .waiting {
                    submitters[ticket] = continuation
                } else {
                    continuation.resume(returning: answer)
                }
                perform(action)
                if Task.isCancelled { withdraw(ticket) }
            }
        } onCancel: {
            _ = Task(executorPreference: executor) { await self.withdraw(ticket) }
        }
        if case .refused(let error) = answer { throw error }
    }

    /// Takes the item if there is room for it now.
    public func trySubmit(_ item: SettlementItem) throws(PoolError) {
        perform(try state.trySubmit(item, at: elapsed()))
    }

    /// Takes the first of the items as far as there is room for them now, and says how many those were.
    public func submitWhatFits(_ items: ArraySlice<SettlementItem>) throws(PoolError) -> Int {
        let (taken, action) = try state.submitWhatFits(items, at: elapsed())
        perform(action)
        return taken
    }

    private func withdraw(_ ticket: PoolState.Ticket) {
        guard let answer = state.withdraw(ticket) else { return }
        submitters.removeValue(forKey: ticket)?.resume(returning: answer)
    }

    // MARK: Life

    /// Runs the workers until the pool is closed and everything in it is settled, or until it is stopped: by
    /// ``drain(timeout:)`` at its deadline, or by cancelling the task that runs it. Then what is being written is
    /// finished, and ``drain(timeout:)`` returns the rest.
    public func run() async {
        precondition(!hasRun, "a pool runs once")
        hasRun = true
        runningHands = activities.count * Self.handCount
        await withTaskCancellationHandler {
            await withTaskGroup(of: Bool.self) { group in
                for lane in activities.indices {
                    for hand in 0..<Self.handCount {
                        group.addTask {
                            await self.work(lane, hand)
                            return false
                        }
                    }
                }
                group.addTask {
                    await self.untilStoppedOrDone()
                    return true
                }
                for await isEnding in group where isEnding { group.cancelAll() }
            }
        } onCancel: {
            _ = Task(executorPreference: executor) { await self.stop() }
        }
    }

    /// Takes nothing more. What is queued is still settled.
    public func close() {
        perform(state.close())
    }

    /// Closes the pool and lets it settle what it has; at the deadline, or when cancelled, stops it.
    ///
    /// Writes that have begun are waited for, even past the deadline: the wallet's own timeouts bound them.
    ///
    /// - Returns: what was not settled, in the order in which it came. Nothing of it was parked; a batch whose commit
    ///   was not answered is among it.
    public func drain(timeout: Duration) async -> [SettlementItem] {
        close()
        await withTaskGroup(of: Void.self) { group in
            group.addTask { [clock] in
                // Cancelled early means that there is nothing left to stop, or that the caller will not wait.
                try? await clock.sleep(for: timeout)
                await self.stop()
            }
            await untilEnded()
            group.cancelAll()
        }
        return state.removeLeftovers()
    }

    /// Returns when nothing is queued or in work, or when the caller is cancelled.
    public func untilIdle() async {
        lastTicket += 1
        let ticket = lastTicket
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                if state.isIdle || Task.isCancelled {
                    continuation.resume()
                } else {
                    idleWaiters[ticket] = continuation
                }
            }
        } onCancel: {
            _ = Task(executorPreference: executor) { await self.stopWaitingForIdle(ticket) }
        }
    }

    public func snapshot() -> PoolSnapshot {
        var counters = counters
        counters.submitted = state.submittedCount
        return PoolSnapshot(
            queueDepth: state.waitingCount, queueCapacity: state.capacity, setAside: state.blockedCount,
            inFlight: state.inFlightCount, workers: activities, records: records, counters: counters,
            isOpen: state.phase == .open)
    }

    private func stop() {
        perform(state.stop())
        supervisor.take()?.resume()
    }

    private func stopWaitingForIdle(_ ticket: PoolState.Ticket) {
        idleWaiters.removeValue(forKey: ticket)?.resume()
    }

    private var isEnded: Bool { runningHands == 0 && state.phase != .open && state.isIdle }

    private func untilEnded() async {
        guard !isEnded else { return }
        await withCheckedContinuation { endWaiters.append($0) }
    }

    private func untilStoppedOrDone() async {
        guard state.phase != .stopped, runningHands > 0 else { return }
        await withCheckedContinuation { supervisor = $0 }
    }

    /// Carries out what the state decided.
    private func perform(_ action: PoolState.Action) {
        isCrowded.withLock { $0 = state.isCrowded }
        for (ticket, answer) in action.answers {
            submitters.removeValue(forKey: ticket)?.resume(returning: answer)
        }
        for batch in action.starts {
            let turn = Turn(after: latestTurns[batch.lane])
            latestTurns[batch.lane] = turn
            activities[batch.lane] = .settling(state.lanes[batch.lane].inFlight)
            readyHands[batch.lane].removeLast().resume(returning: Assignment(batch: batch, turn: turn))
        }
        for lane in action.dismissed {
            readyHands[lane].removeLast().resume(returning: nil)
        }
        if state.isIdle, !idleWaiters.isEmpty {
            for waiter in idleWaiters.values { waiter.resume() }
            idleWaiters = [:]
        }
        if isEnded {
            for waiter in endWaiters { waiter.resume() }
            endWaiters = []
        }
    }
}

// MARK: What workers ask of the pool

extension SettlementPool {
    /// The next batch of a lane; nil when there will be none.
    func next(of lane: Int, isFirst: Bool) async -> Assignment? {
        await withCheckedContinuation { continuation in
            readyHands[lane].append(continuation)
            let action = state.ready(lane, isFirst: isFirst)
            showWhatIsLeft(lane)
            perform(action)
        }
    }

    /// One hand of a worker has ended; the other may be at work.
    private func showWhatIsLeft(_ lane: Int) {
        let inFlight = state.lanes[lane].inFlight
        activities[lane] = inFlight == 0 ? .idle : .settling(inFlight)
    }

    func committed(_ completions: [Completion], slots: ArraySlice<PoolState.SlotNumber>, of lane: Int, isParked: Bool) {
        counters.batches += 1
        if isParked { counters.parked += completions.count }
        records[lane].lastBatchSize = completions.count
        for completion in completions {
            switch completion.outcome {
            case .settled:
                counters.settled += 1
                records[lane].settled += 1
            case .duplicate: counters.duplicates += 1
            case .rejected(let rejection): counters.rejected[rejection.failureClass, default: 0] += 1
            case .deferred: counters.deferred += 1
            }
        }
        perform(state.complete(slots, of: lane))
    }

    func tryAgain(_ lane: Int) {
        counters.retries += 1
        state.stumble(lane)
    }

    /// What follows a batch that failed comes again behind it.
    func givesBack(_ rest: PoolState.Batch) {
        // The one that failed may not have said so yet.
        state.stumble(rest.lane)
        perform(state.giveBack(rest))
    }

    func backsOff(_ lane: Int, for pause: Duration, givingBack others: PoolState.Batch) {
        activities[lane] = .backingOff(until: elapsed() + pause)
        perform(state.stall(lane, givingBack: others))
    }

    func waitsForDatabase(_ lane: Int) {
        activities[lane] = .waitingForDatabase
    }

    func goesOn(_ lane: Int, with count: Int) {
        activities[lane] = .settling(count)
        state.resume(lane)
    }

    /// What a worker has not finished when the pool is stopped.
    func handBack(_ rest: PoolState.Batch) {
        // Cancellation reaches a worker before the state when it comes from outside.
        stop()
        perform(state.stall(rest.lane, givingBack: rest))
    }

    func left(_ lane: Int) {
        showWhatIsLeft(lane)
        runningHands -= 1
        if runningHands == 0 { supervisor.take()?.resume() }
        perform(PoolState.Action())
    }

    nonisolated func timeSinceStart() -> Duration { elapsed() }
}

/// Tells how long ago it was made, whatever the clock calls its instants.
private func stopwatch<C: Clock>(_ clock: C) -> @Sendable () -> Duration where C.Duration == Duration {
    let start = clock.now
    return { start.duration(to: clock.now) }
}
