import CommandKit
import Glibc
import Repository
import ServiceKit
import TradeModel

/// Keeps a CSV of settled trades up to date while a worker runs, from what was committed, by whomever: over a
/// connection and on a thread of its own, so that nothing waits for it.
actor RunningCSV {
    private static let pause = Duration.milliseconds(500)
    /// Between looks whether the end has come.
    private static let look = Duration.milliseconds(10)
    private static let pauseAfterFailure = Duration.seconds(1)
    /// How long transactions that may still bring something are waited for, at a time.
    private static let patience = Duration.seconds(2)

    private let executor = BlockingExecutor(label: "settle.audit")
    private let path: String
    private let connectionString: String
    private let limits: Limits
    private let log: Log
    private nonisolated let isStopped = Guarded(false)
    private var file: RunningCSVFile?
    private var connection: PostgresConnection?
    /// What was last complained of, so that it is said once and not at each try.
    private var complaint: String?

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// Throws where no file can be written at all; who is only late to find the disk full, say, settles meanwhile.
    init(_ path: String, connectionString: String, limits: Limits, log: Log) throws {
        self.path = path
        self.connectionString = connectionString
        self.limits = limits
        self.log = log
        do { _ = try RunningCSVPlace.lock(beside: path) } catch let problem as FileProblem where problem.code != ENOSPC
        {
            throw CommandFailure("the audit CSV: \(problem)")
        }
    }

    /// Adds what was committed, again and again, until cancelled.
    nonisolated func run() async {
        var pause = Duration.zero
        while (try? await Task.sleep(for: pause)) != nil {
            pause = await addWhatWasCommitted() == .failed ? Self.pauseAfterFailure : Self.pause
        }
    }

    /// Ends a run and adds what was committed until now, as far as the patience goes. What is under way then is left to
    /// the end of the process, like to a crash; the rest follows at the next start.
    nonisolated func finish(_ run: Task<Void, Never>, patience: Duration) async {
        run.cancel()
        isStopped.withLock { $0 = true }
        let deadline = ContinuousClock.now + patience
        let end = Guarded<Round?>(nil)
        _ = Task {
            await run.value
            isStopped.withLock { $0 = false }
            let round = await addWhatWasCommitted(until: deadline)
            end.withLock { $0 = round }
        }
        while end.withLock({ $0 }) == nil, ContinuousClock.now < deadline { try? await Task.sleep(for: Self.look) }
        guard end.withLock({ $0 }) != .complete else { return }
        log.warning("audit CSV lacks what was settled last; it follows at the next start", ["file": path])
    }

    private enum Round {
        case complete, interrupted
        /// Something is in the way, which was logged.
        case failed
    }

    private func addWhatWasCommitted(until deadline: ContinuousClock.Instant? = nil) -> Round {
        do {
            let connection = try connected()
            let file = try opened(connection)
            var batches = try CommittedBatches(
                behind: file.batch, read: file.read, on: connection, patience: Self.patience)
            while let trades = try batches.nextTrades() {
                var text = ""
                for trade in trades { text += ExportFormat.csv.line(ExportedTrade.columns, trade.values) }
                try file.append(text, upTo: batches.place)
                if isStopped.withLock({ $0 }) || deadline.map({ .now >= $0 }) == true { return .interrupted }
            }
            try file.append("", upTo: try batches.last(), isAll: true)
            if complaint != nil { log.info("audit CSV is written again", ["file": path]) }
            complaint = nil
            return .complete
        } catch {
            close()
            let reason = (error as? HorizonError).map { _ in "a transaction stays open" } ?? "\(error)"
            if complaint != reason { log.warning("audit CSV is not written", ["file": path, "reason": reason]) }
            complaint = reason
            return .failed
        }
    }

    private func connected() throws -> PostgresConnection {
        if let connection { return connection }
        let connection = try PostgresConnection(connectionString, limits: limits, applicationName: "settle csv")
        self.connection = connection
        return connection
    }

    /// The file, or the next one where it was moved away.
    private func opened(_ connection: PostgresConnection) throws -> RunningCSVFile {
        if let file, file.isInPlace { return file }
        // Gives back the lock.
        file = nil
        let opened = try RunningCSVFile(path) { place in
            try CommittedBatches.place(of: place.batch, on: connection) == place
        }
        log.info("audit CSV", ["file": path, "behind_batch": "\((opened.read ?? opened.batch).batch)"])
        file = opened
        return opened
    }

    private func close() {
        file = nil
        connection = nil
    }
}
