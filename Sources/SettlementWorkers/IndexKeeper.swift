import Dispatch
import Repository
import ServiceKit

/// Builds, beside the settling, the indexes that readers want: over a connection of its own, so that nothing waits for
/// a build, and of all processes on a database one at a time.
actor IndexKeeper {
    /// The first look comes after a pause, so that a process that ends soon begins nothing.
    private static let firstPause = Duration.seconds(2)
    private static let pause = Duration.seconds(10)
    private static let interruptInterval = Duration.milliseconds(50)

    private let executor = BlockingExecutor(label: "settle.indexes")
    private let connectionString: String
    private let limits: Limits
    private let log: Log
    private var connection: PostgresConnection?
    /// What a build that is under way can be stopped by; read from outside the actor, which is busy then.
    private nonisolated let interrupter = Guarded<StatementInterrupter?>(nil)

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    init(_ connectionString: String, limits: Limits, log: Log) {
        self.connectionString = connectionString
        self.limits = limits
        self.log = log
    }

    /// Looks again and again what is missing, until cancelled.
    nonisolated func run() async {
        var pause = Self.firstPause
        while (try? await Task.sleep(for: pause)) != nil {
            await work()
            pause = Self.pause
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

    /// Does all that is missing now.
    func work() {
        do throws(DatabaseError) {
            let connection = try connected()
            while !Task.isCancelled,
                let done = try ReadingIndexStore.advance(on: connection)
            {
                log.info("index", ["statement": done])
            }
            if !Task.isCancelled { try ReadingIndexStore.summarize(on: connection) }
        } catch {
            // A new connection is free of whatever it was; what was begun is taken away by the next look.
            close()
            if !Task.isCancelled { log.warning("index not built", ["reason": error.message]) }
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
