import Repository
import ServiceKit
import TradeModel
import WalletClient

/// A process that settles: the pool with its wallets, the ways in, the sweep of PENDING rows and the heartbeat.
///
/// Whoever calls ``run(sources:)`` owns its life; ``stop()`` ends it in order, ``abort()`` at once.
public actor SettlementService {
    /// Where items come from. It is asked for more only when the queue has room and is not paused.
    public protocol Source: Sendable {
        /// The next items; nil when there will be none. Where none come for a quarter of a second it returns an empty
        /// list: between two calls the service may leave a pause.
        func next() async throws -> [SettlementItem]?
        /// Asks for an end: what has arrived is still returned, then nil.
        func stop() async
        /// Whether what it gave can be had again: then it always waits for room, and what finds none is not missed.
        var isReplayable: Bool { get }
    }

    public struct Configuration: Sendable {
        public var connectionString: String
        public var limits: LiveLimits
        public var version: String
        public var log: Log
        /// What becomes of what a source brings when the queue is full.
        public var whenFull = WhenFull.wait
        public var render: @Sendable (Trade) -> [UInt8]
        public var onCompletion: @Sendable ([Completion]) -> Void
        /// The engine whose output is followed, if one is.
        public var feed: (any FeedConnector)?

        public init(
            connectionString: String, limits: Limits, version: String, log: Log,
            render: @escaping @Sendable (Trade) -> [UInt8],
            onCompletion: @escaping @Sendable ([Completion]) -> Void = { _ in }
        ) {
            self.connectionString = connectionString
            self.limits = LiveLimits(limits)
            self.version = version
            self.log = log
            self.render = render
            self.onCompletion = onCompletion
        }
    }

    public nonisolated let pool: SettlementPool
    public nonisolated let wallets: WalletPool
    /// The number under which the process is registered.
    public nonisolated let worker: Int64
    nonisolated let configuration: Configuration
    nonisolated let control: ControlConnection
    let stopSignal = OneShot()
    /// What is known of the newest verification; nil before the first look.
    public nonisolated let verification = Guarded<VerificationState?>(nil)
    /// What was last reported of ourselves.
    let lastReport = Guarded<WorkerReport?>(nil)
    let gate: IntakeGate
    private nonisolated let follower: FeedFollower?
    private static let interruptIntervalMilliseconds = 50
    private var isAborted = false
    private var unqueued: [SettlementItem] = []
    /// Why the run ended by itself, if it did.
    public private(set) var intakeFailure: String?
    private var intake: Task<Void, Never>?
    private var finishing: Task<Void, Never>?
    private var draining: Task<[SettlementItem], Never>?

    /// Registers the process; throws when the database cannot be reached.
    public init(_ configuration: Configuration) throws(DatabaseError) {
        self.configuration = configuration
        let queue: QueueControl
        (control, worker, queue) = try ControlConnection.register(
            configuration.connectionString, limits: configuration.limits.current, version: configuration.version)
        gate = IntakeGate(queue)
        let log = configuration.log
        let observe = configuration.onCompletion
        wallets = WalletPool(
            WalletConfiguration(
                connectionString: configuration.connectionString, limits: configuration.limits.current, worker: worker,
                actor: "worker \(worker)", log: log, render: configuration.render),
            connectionCount: configuration.limits.connections)
        let follower = configuration.feed.map { [control] feed in
            FeedFollower(feed, control: control, limits: configuration.limits.current, log: log)
        }
        self.follower = follower
        pool = SettlementPool(wallet: wallets, limits: configuration.limits.current) { [worker] completions in
            log.record(completions, worker: worker)
            follower?.note(completions)
            observe(completions)
        }
    }

    /// Settles until ``stop()``, then drains to the deadline.
    ///
    /// - Returns: what was left when the deadline came; PENDING rows among it are free again.
    public func run(sources: [any Source] = []) async -> [SettlementItem] {
        configuration.log.info(
            "worker started",
            [
                "worker": "\(worker)", "connections": "\(configuration.limits.connections)",
                "queue_capacity": "\(configuration.limits.queueCapacity)",
            ])
        if queueControl.isPaused {
            configuration.log.warning("\(QueuePaused(queueControl)); nothing is settled", ["worker": "\(worker)"])
        }
        let sources = sources + (follower.map { [$0] } ?? [])
        return await withTaskGroup(of: Void.self, returning: [SettlementItem].self) { group in
            group.addTask { await self.pool.run() }
            if let follower { group.addTask { await follower.keep() } }
            let intake = Task {
                await withTaskGroup(of: Void.self) { group in
                    for source in sources { group.addTask { await self.read(source) } }
                }
            }
            let sweeping = Task { await self.sweep() }
            self.intake = intake
            group.addTask { await self.beat() }
            group.addTask { await self.retryLetters() }
            // An index may wait long for what else goes on in the server, and a range that is verified takes some time:
            // what is due sooner does not wait behind them.
            let beside = [
                besideWork("indexes", [IndexBuilding()]), besideWork("upkeep", [StreamCounting(), Summarizing()]),
                besideWork(
                    "proofs",
                    [
                        Sealing(isCrowded: pool.isCrowded),
                        Verifying(
                            configuration.limits, worker: worker, isCrowded: pool.isCrowded, state: verification),
                    ]),
            ].map { work in (work: work, run: Task { await work.run() }) }

            await stopSignal.wait()
            for (_, run) in beside { run.cancel() }
            configuration.log.info("worker stops", ["worker": "\(worker)"])
            let deadline = ContinuousClock.now + .seconds(configuration.limits.shutdownTimeoutSeconds)
            await follower?.stop()
            // Rows that wait for room stay in the table; what sources have received exists nowhere else: while the
            // queue is paused it is stored, to wait there. What was taken in before the pause is finished first: of
            // what an engine does, trades would be stored, and what rests on them take effect.
            if queueControl.isPaused {
                await finishWhatIsHeld(until: deadline)
                wallets.storeOnly()
            }
            gate.openForGood()
            sweeping.cancel()
            for source in sources { await source.stop() }
            let intakeDeadline = Task {
                try await Task.sleep(until: deadline, clock: .continuous)
                intake.cancel()
            }
            await intake.value
            intakeDeadline.cancel()
            await sweeping.value
            let leftovers = await drain(until: deadline) + unqueued
            await follower?.finish()
            group.cancelAll()
            await group.waitForAll()
            for (work, run) in beside { await work.stop(run, patience: .seconds(3)) }
            await leave(leftovers)
            return leftovers
        }
    }

    private func besideWork(_ name: String, _ duties: [any BesideDuty]) -> BesideWork {
        BesideWork(
            name, configuration.connectionString, limits: configuration.limits.current, log: configuration.log,
            duties: duties)
    }

    /// Settles what is PENDING now, and ends when nothing of it is left to claim.
    @discardableResult
    public func runOnce() async throws -> [SettlementItem] {
        try await withThrowingTaskGroup(of: Void.self, returning: [SettlementItem].self) { group in
            group.addTask { await self.pool.run() }
            group.addTask { await self.beat() }
            let looking = Task { try await self.settleWhatWaits() }
            let stopping = Task {
                await stopSignal.wait()
                looking.cancel()
            }
            var failure: (any Error)?
            do { try await looking.value } catch { failure = stopSignal.hasFired ? nil : error }
            stopSignal.fire()
            await stopping.value
            let leftovers = await drain(
                until: .now + .seconds(configuration.limits.shutdownTimeoutSeconds))
            // Nobody else may come to count what was just settled.
            if failure == nil { _ = await besideWork("upkeep", [StreamCounting()]).work() }
            group.cancelAll()
            await leave(leftovers)
            if let failure { throw failure }
            return leftovers
        }
    }

    /// Brings what is PENDING to the pool until nothing is left to claim, or throws when the queue is paused.
    private nonisolated func settleWhatWaits() async throws {
        // A trade that waited for an older one is put back for a moment: it takes two looks to see that none is left.
        var emptyLooks = 0
        while emptyLooks < 2, !stopSignal.hasFired {
            let claimed = try await claimAndSubmit()
            await pool.untilIdle()
            if queueControl.isPaused { throw QueuePaused(queueControl) }
            emptyLooks = claimed == 0 ? emptyLooks + 1 : 0
            if emptyLooks > 0 {
                try await Task.sleep(for: .milliseconds(configuration.limits.deferralMilliseconds + 10))
            }
        }
    }

    /// Ends the run in order: nothing more is taken in, what is queued is settled. May be called at any time.
    public nonisolated func stop() {
        stopSignal.fire()
    }

    /// Takes over what may change while running, and nothing else.
    public nonisolated func reload(_ limits: Limits) async {
        configuration.limits.reload(limits)
        pool.reload(limits)
        await wallets.reload(limits)
    }

    /// Ends the run at once: what is being written is rolled back, and left with the rest.
    public func abort() {
        isAborted = true
        stopSignal.fire()
        intake?.cancel()
        finishing?.cancel()
        draining?.cancel()
    }

    private func finishWhatIsHeld(until deadline: ContinuousClock.Instant) async {
        let finishing = Task { await pool.untilIdle() }
        self.finishing = finishing
        if isAborted { finishing.cancel() }
        let timer = Task {
            try await Task.sleep(until: deadline, clock: .continuous)
            finishing.cancel()
        }
        await finishing.value
        timer.cancel()
    }

    private func drain(until deadline: ContinuousClock.Instant) async -> [SettlementItem] {
        let timeout = isAborted ? .zero : max(.zero, ContinuousClock.now.duration(to: deadline))
        let draining = Task { await pool.drain(timeout: timeout) }
        self.draining = draining
        let interrupting = Task { await interruptWhenOverdue(deadline) }
        defer { interrupting.cancel() }
        return await draining.value
    }

    /// A write that waits for a lock would outlast the deadline. Again and again, since one may begin just after.
    private func interruptWhenOverdue(_ deadline: ContinuousClock.Instant) async {
        while !Task.isCancelled {
            if isAborted || ContinuousClock.now >= deadline { await wallets.interrupt() }
            try? await Task.sleep(for: .milliseconds(Self.interruptIntervalMilliseconds))
        }
    }

    // MARK: What runs beside the pool

    /// A way in that is broken for good ends the process: whoever watches over it must see that.
    func fail(_ reason: String) {
        intakeFailure = reason
        stop()
    }

    /// Remembers what was received and found no place in the queue, so that it can be named.
    func keep(_ items: some Sequence<SettlementItem>) {
        unqueued += items
    }

    /// Brings PENDING rows to the pool: at the start, when told of new ones, and on a timer in case nobody tells.
    private nonisolated func sweep() async {
        var lastSweep: ContinuousClock.Instant?
        var isFailing = false
        while !stopSignal.hasFired, !Task.isCancelled {
            do {
                let interval = Duration.milliseconds(configuration.limits.sweepIntervalMilliseconds)
                let isDue = lastSweep.map { ContinuousClock.now - $0 >= interval } ?? true
                let news = isDue ? true : try await control.awaitNews(milliseconds: 50)
                try await reportChanges()
                guard news, !stopSignal.hasFired else { continue }
                lastSweep = ContinuousClock.now
                while try await claimAndSubmit() > 0, !stopSignal.hasFired {}
                if isFailing { configuration.log.info("sweep works again", ["worker": "\(worker)"]) }
                isFailing = false
            } catch let error as PoolError {
                configuration.log.debug("sweep ended", ["reason": "\(error)"])
                return
            } catch {
                // Said once, not at each try.
                if !isFailing { configuration.log.warning("sweep failed", ["reason": "\(error)"]) }
                isFailing = true
                try? await wallets.untilAvailable()
                try? await Task.sleep(for: .milliseconds(configuration.limits.breakerPauseMilliseconds))
            }
        }
    }

    /// Claims as many rows as the queue has room for, brings them there, and says how many they were.
    private nonisolated func claimAndSubmit() async throws -> Int {
        var room = 0
        while true {
            let snapshot = await pool.snapshot()
            room = min(snapshot.queueCapacity - snapshot.queueDepth, 2 * configuration.limits.batchSizeMax)
            if room > 0 { break }
            guard !stopSignal.hasFired else { return 0 }
            if try await control.awaitNews(milliseconds: 0) { obey(try await control.readQueue()) }
            try await Task.sleep(for: .milliseconds(5))
        }
        if queueControl.isPaused { obey(try await control.readQueue()) }
        guard gate.tryPass() else { return 0 }
        var items: [SettlementItem] = []
        do {
            defer { gate.took(items.count) }
            let queue: QueueControl
            (queue, items) = try await control.claim(
                upTo: room, hasHaltedMarkets: queueControl.hasHaltedMarkets)
            obey(queue)
        }
        defer { gate.handedOn(items.count) }
        do {
            try await pool.submit(items)
        } catch {
            try await control.release(items.dropFirst(error.taken).compactMap(\.tradeKey))
            throw error
        }
        return items.count
    }

    private nonisolated func beat() async {
        var isFailing = false
        while !Task.isCancelled {
            do {
                try await beat(report())
                if isFailing { configuration.log.info("heartbeat works again", ["worker": "\(worker)"]) }
                isFailing = false
            } catch {
                // Said once, not at each try.
                if !isFailing { configuration.log.warning("heartbeat failed", ["reason": "\(error)"]) }
                isFailing = true
            }
            try? await Task.sleep(for: .milliseconds(configuration.limits.heartbeatIntervalMilliseconds))
        }
    }

    private func leave(_ leftovers: [SettlementItem]) async {
        for item in leftovers {
            configuration.log.warning("not settled", ["trade": item.name, "worker": "\(worker)"])
        }
        await control.leave()
        await wallets.close()
        configuration.log.info("worker stopped", ["worker": "\(worker)", "left": "\(leftovers.count)"])
    }
}

extension Limits {
    /// How many connections settle: as configured, or one for each core, and never more than workers.
    public var connections: Int {
        min(workerCount, connectionCount ?? max(1, processorCount))
    }
}

extension Log {
    fileprivate func record(_ completions: [Completion], worker: Int64) {
        for completion in completions {
            switch completion.outcome {
            case .rejected(let rejection):
                warning(
                    "parked",
                    [
                        "trade": completion.item.name, "class": rejection.failureClass.rawValue,
                        "reason": rejection.message, "worker": "\(worker)", "attempt": "\(completion.attempts)",
                        "duration_ms": completion.elapsed.milliseconds,
                    ])
            case .settled, .duplicate, .deferred:
                guard writes(.debug) else { continue }
                debug(
                    "\(completion.outcome)",
                    [
                        "trade": completion.item.name, "worker": "\(worker)", "attempt": "\(completion.attempts)",
                        "duration_ms": completion.elapsed.milliseconds,
                    ])
            }
        }
    }
}
