import Dispatch
import Repository
import ServiceKit

/// What is done beside the settling: over a connection of its own, so that nothing waits for it.
actor BesideWork {
    /// The first look comes after a pause, so that a process that ends soon begins nothing.
    private static let firstPause = Duration.seconds(2)
    private static let pause = Duration.milliseconds(500)
    private static let interruptInterval = Duration.milliseconds(50)

    private let executor: BlockingExecutor
    private let name: String
    private let connectionString: String
    private let limits: Limits
    private let log: Log
    /// The time after which a duty that failed is tried again.
    private let failurePause: Duration
    private var duties: [any BesideDuty]
    /// When each may be tried again that failed.
    private var nextTries: [ContinuousClock.Instant]
    /// Whether a duty is to be asked again at once.
    private(set) var isBehind = false
    /// Those that failed last time; said once, not at each try.
    private var failing: Set<Int> = []
    private var connection: PostgresConnection?
    /// What a statement that is under way can be stopped by; read from outside the actor, which is busy then.
    private nonisolated let interrupter = Guarded<StatementInterrupter?>(nil)

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// - Parameter name: what its thread and its connection are called, such as "indexes".
    init(
        _ name: String, _ connectionString: String, limits: Limits, log: Log, duties: [any BesideDuty],
        failurePause: Duration = .seconds(10)
    ) {
        self.failurePause = failurePause
        self.name = name
        executor = BlockingExecutor(label: "settle.\(name)")
        self.connectionString = connectionString
        self.limits = limits
        self.log = log
        self.duties = duties
        nextTries = duties.map { _ in .now }
    }

    /// Looks again and again what is to be done, until cancelled.
    nonisolated func run() async {
        var pause = Self.firstPause
        while (try? await Task.sleep(for: pause)) != nil {
            _ = await work()
            pause = await isBehind ? .zero : Self.pause
        }
        await close()
    }

    /// Ends a run; a statement that is under way is given up. A server that does not answer is not waited for longer
    /// than the patience: what it had begun is taken away by whoever looks next.
    nonisolated func stop(_ run: Task<Void, Never>, patience: Duration) async {
        run.cancel()
        let hasEnded = OneShot()
        _ = Task {
            await run.value
            hasEnded.fire()
        }
        let deadline = ContinuousClock.now + patience
        // Again and again, since a statement may begin just after.
        while !hasEnded.hasFired, ContinuousClock.now < deadline {
            let interrupter = interrupter.withLock { $0 }
            // Asking the server to stop may itself block.
            DispatchQueue.global().async { interrupter?.interrupt() }
            try? await Task.sleep(for: Self.interruptInterval)
        }
    }

    /// Does all that is due now; returns false when something of it failed, which keeps nothing else from being done.
    func work() -> Bool {
        var isDone = true
        isBehind = false
        for number in duties.indices where !Task.isCancelled && nextTries[number] <= .now {
            do throws(DatabaseError) {
                if try duties[number].work(on: connected(), log: log) { isBehind = true }
                if failing.remove(number) != nil { log.info("\(duties[number].name) works again") }
            } catch {
                // A new connection is free of whatever it was.
                close()
                isDone = false
                nextTries[number] = .now + failurePause
                guard !Task.isCancelled, failing.insert(number).inserted else { continue }
                log.warning("\(duties[number].name) failed", ["reason": error.message])
            }
        }
        return isDone
    }

    private func connected() throws(DatabaseError) -> PostgresConnection {
        if let connection { return connection }
        let connection = try PostgresConnection(connectionString, limits: limits, applicationName: "settle \(name)")
        // What is done here takes long, and waits for transactions that are older than it.
        try connection.liftStatementTimeout()
        try connection.script("set lock_timeout = 0")
        self.connection = connection
        interrupter.withLock { $0 = connection.interrupter() }
        return connection
    }

    private func close() {
        interrupter.withLock { $0 = nil }
        connection = nil
    }
}
