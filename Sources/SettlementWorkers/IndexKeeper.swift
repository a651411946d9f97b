import Dispatch
import Repository
import ServiceKit
import TradeModel

/// Builds, beside the settling, the indexes that readers want: over a connection of its own, so that nothing waits for
/// a build, and of all processes on a database one at a time.
///
/// What is missing is asked for from time to time, and sooner when the ledger has grown: at full speed it gets another
/// piece's entries every few seconds. Whether it has grown is asked often, and costs next to nothing.
actor IndexKeeper {
    /// The first look comes after a pause, so that a process that ends soon begins nothing.
    private static let firstPause = Duration.seconds(2)
    private static let pause = Duration.milliseconds(500)
    private static let interruptInterval = Duration.milliseconds(50)
    /// So many new entries are reason enough to look: a part of a piece, so that its index is begun when it is due.
    private static let growthMin = ReadingIndexStore.pieceEntriesMax / 8

    private let executor = BlockingExecutor(label: "settle.indexes")
    private let connectionString: String
    private let limits: Limits
    private let log: Log
    /// The time between looks that no growth asks for, and after one that failed.
    private let interval: Duration
    private var nextRound = ContinuousClock.now
    /// The newest batch at the last look.
    private var lastSeen = BatchNumber.max
    private var connection: PostgresConnection?
    /// What a build that is under way can be stopped by; read from outside the actor, which is busy then.
    private nonisolated let interrupter = Guarded<StatementInterrupter?>(nil)

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    init(_ connectionString: String, limits: Limits, log: Log, interval: Duration = .seconds(10)) {
        self.connectionString = connectionString
        self.limits = limits
        self.log = log
        self.interval = interval
    }

    /// Looks again and again what is missing, until cancelled.
    nonisolated func run() async {
        var pause = Self.firstPause
        while (try? await Task.sleep(for: pause)) != nil {
            pause = await work() ? Self.pause : interval
        }
        await close()
    }

    /// Ends a run; a build that is under way is given up. A server that does not answer is not waited for longer than
    /// the patience: what it had begun is taken away by whoever looks next.
    nonisolated func stop(_ run: Task<Void, Never>, patience: Duration) async {
        run.cancel()
        let hasEnded = OneShot()
        _ = Task {
            await run.value
            hasEnded.fire()
        }
        let deadline = ContinuousClock.now + patience
        // Again and again, since a build may begin just after.
        while !hasEnded.hasFired, ContinuousClock.now < deadline {
            let interrupter = interrupter.withLock { $0 }
            // Asking the server to stop may itself block.
            DispatchQueue.global().async { interrupter?.interrupt() }
            try? await Task.sleep(for: Self.interruptInterval)
        }
    }

    /// Does all that is missing now, if it is time to look; returns false when that failed.
    func work() -> Bool {
        do throws(DatabaseError) {
            let connection = try connected()
            let growth = try ReadingIndexStore.growth(since: lastSeen, on: connection)
            let isRound = ContinuousClock.now >= nextRound
            guard isRound || growth.entries >= Self.growthMin else { return true }
            // From before the builds: what comes while they last is growth, too.
            lastSeen = growth.newest
            while !Task.isCancelled,
                let done = try ReadingIndexStore.advance(on: connection)
            {
                log.info("index", ["statement": done])
            }
            if isRound, !Task.isCancelled {
                try ReadingIndexStore.summarize(on: connection)
                nextRound = .now + interval
            }
            return true
        } catch {
            // A new connection is free of whatever it was; what was begun is taken away by the next look.
            close()
            if !Task.isCancelled { log.warning("index not built", ["reason": error.message]) }
            return false
        }
    }

    private func connected() throws(DatabaseError) -> PostgresConnection {
        if let connection { return connection }
        let connection = try PostgresConnection(connectionString, limits: limits, applicationName: "settle indexes")
        // Builds take long, and wait for transactions that are older than they.
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
