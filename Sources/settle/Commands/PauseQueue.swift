import CommandKit
import Repository
import ServiceKit

struct PauseQueue: Command {
    static let info = CommandInfo(
        "pause", summary: "Let no worker of the database take in anything more.",
        discussion: """
            Workers finish what they hold and wait. Nothing is lost: what is PENDING stays so, engines are held back, \
            and a worker that ends stores what it has received. The command returns when all workers have seen it. \
            One that has fallen silent without signing off is shut out once the others hold nothing: should it come \
            back in the pause, it stores what it holds. \
            Deposits and withdrawals of the command line go on. 'settle queue resume' ends the pause.
            """,
        examples: [Example("settle queue pause --reason 'new engine at 18:00'", "")])

    @Option("--reason", help: "Why, for the record.") var reason: Reason?
    @Option("--timeout", help: "How long to wait for the workers.", default: .seconds(15)) var timeout: Duration
    @Flag("--dry-run", help: "Say what would happen, and change nothing.") var dryRun: Bool

    func run(_ context: Context) async throws {
        try await QueueStop(kind: .pause, reason: reason, timeout: timeout, dryRun: dryRun).run(context)
    }
}

struct DrainQueue: Command {
    static let info = CommandInfo(
        "drain", summary: "Pause the queue and wait until no worker holds anything.",
        discussion: """
            When it returns, nothing is on its way in any worker, and none is lost by stopping them. The queue is \
            sealed then: until 'settle queue resume' the database itself lets no trade settle, not even one that a \
            worker has kept which had fallen silent and comes back. On a queue that is paused already it only waits.
            """,
        examples: [Example("settle queue drain --timeout 5m", "Before an upgrade of the database.")])

    @Option("--reason", help: "Why, for the record.") var reason: Reason?
    @Option("--timeout", help: "How long to wait for the workers.", default: .seconds(60)) var timeout: Duration
    @Flag("--dry-run", help: "Say what would happen, and change nothing.") var dryRun: Bool

    func run(_ context: Context) async throws {
        try await QueueStop(kind: .drain, reason: reason, timeout: timeout, dryRun: dryRun).run(context)
    }
}

/// Pauses the queue and waits for the workers: until all obey, or until none holds anything.
private struct QueueStop {
    let kind: OperatorAction.Kind
    let reason: Reason?
    let timeout: Duration
    let dryRun: Bool

    func run(_ context: Context) async throws {
        let database = try Database(context)
        defer { database.leave() }
        let connection = try database.connect()
        var report = try QueueReport.read(connection, database.limits)
        guard !dryRun else {
            try show(report, isNew: !report.control.isPaused, context)
            return
        }
        let isNew = try QueueControlStore.set(
            paused: true, as: kind, actor: operatorName, reason: reason?.text ?? "", on: connection
        ).isNew
        report = try QueueReport.read(connection, database.limits)
        let deadline = ContinuousClock.now + timeout
        let progress = ProgressLine(context.output, total: kind == .drain ? report.held : nil)
        let heldAtFirst = report.held
        while !isDone(report), ContinuousClock.now < deadline {
            guard report.control.isPaused else {
                progress.finish()
                throw CommandFailure("meanwhile the queue was resumed \(report.control.circumstances.printable)")
            }
            let isSealed = try report.isReadyToSeal && QueueControlStore.seal(report.control, on: connection)
            if !isSealed { try await Task.sleep(for: .milliseconds(20)) }
            report = try QueueReport.read(connection, database.limits)
            if kind == .drain { progress.update(max(0, heldAtFirst - report.held)) }
        }
        progress.finish()
        try show(report, isNew: isNew, context)
        try context.output.flush()
        if !isDone(report) {
            throw CommandFailure(complaint(report, try QueueControlStore.settling(on: connection)))
        }
        if !report.silent.isEmpty {
            context.output.note(
                (report.silent.count == 1
                    ? "Shut out; what it holds is stored when it comes back: "
                    : "Shut out; what they hold is stored when they come back: ")
                    + report.silent.map(report.name).joined(separator: ", "))
        }
        context.output.next("settle queue resume")
    }

    private func isDone(_ report: QueueReport) -> Bool {
        kind == .drain
            ? report.control.isSealed && report.isDrained : report.control.isPaused && report.unaware.isEmpty
    }

    private func show(_ report: QueueReport, isNew: Bool, _ context: Context) throws {
        let pairs = report.pairs + [(dryRun ? "would_change" : "changed", .bool(isNew))]
        try context.output.show(.object(pairs)) {
            let circumstances = report.control.circumstances.printable
            let isDrained = kind == .drain && !dryRun && report.isDrained
            let what =
                switch (isNew, isDrained) {
                case (true, true): "the queue is drained"
                case (true, false): dryRun ? "would pause the queue" : "the queue is paused"
                case (false, true): "the queue is drained (paused already \(circumstances))"
                case (false, false): "the queue is paused already (\(circumstances))"
                }
            try context.output.line(
                "\(what): \(report.workersText), "
                    + "\(report.held.counted("trade")) in memory, \(report.backlog.trades.text("trade")) PENDING")
        }
    }

    /// - Parameter settling: the server's processes that are at a batch.
    private func complaint(_ report: QueueReport, _ settling: [Int32]) -> String {
        let late = kind == .drain ? report.busy : report.unaware
        let count = "\(late.count) of \(report.workers.count.counted("worker"))"
        var sentences = [
            "after \(timeout.argumentText), "
                + (late.isEmpty
                    ? "a batch was still being written"
                    : "\(count) \(kind == .drain ? "still had something to do" : "had not seen it"): "
                        + late.map(report.name).joined(separator: ", "))
        ]
        if !settling.isEmpty, report.isReadyToSeal {
            let processes = settling.map(String.init).joined(separator: ", ")
            sentences.append(
                settling.count == 1
                    ? "A batch is open in the server's process \(processes); PostgreSQL ends it within minutes, "
                        + "pg_terminate_backend() at once"
                    : "Batches are open in the server's processes \(processes); PostgreSQL ends them within minutes, "
                        + "pg_terminate_backend() at once")
        }
        if late.contains(where: { !$0.knowsPauses }) {
            sentences.append("End those that know no pauses; one that is dead is forgotten within a day")
        }
        sentences.append("The queue stays paused; 'settle queue status' shows how it goes on.")
        return sentences.joined(separator: ". ")
    }
}
