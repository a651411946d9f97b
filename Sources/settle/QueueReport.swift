import CommandKit
import Repository
import ServiceKit
import SettlementWorkers
import TradeModel

/// How the queue of a database stands: whether it is paused, who works, and what waits.
struct QueueReport {
    enum State: String {
        case running
        /// Paused, but not yet obeyed by all who work, or they still finish what they hold.
        case pausing
        case paused
    }

    let control: QueueControl
    /// Those that live, and those that have fallen silent without signing off.
    let workers: [RecordedWorker]
    let backlog: Backlog
    private let limits: Limits

    static func read(_ connection: PostgresConnection, _ limits: Limits) throws -> QueueReport {
        let answers = try connection.pipeline([
            QueueControlStore.read, WorkerStore.list, TradeStore.waiting, DeadLetterStore.countOpen,
        ])
        return QueueReport(
            control: QueueControlStore.decode(answers[0]), workers: WorkerStore.decode(answers[1]),
            backlog: Backlog(trades: answers[2], letters: answers[3]), limits: limits)
    }

    var living: [RecordedWorker] { workers.filter { $0.isLiving(limits) } }

    /// Those that have not signed off and say nothing: killed, cut off or stopped. Each may come back.
    var silent: [RecordedWorker] { workers.filter { !$0.isLiving(limits) } }

    /// The workers that do not obey yet. In a sealed queue it is the database that does not let them.
    var unaware: [RecordedWorker] { workers.filter { !$0.hasSeen(control) && !isShutOut($0) } }

    /// The workers that have, or may have, something that could still be settled.
    var busy: [RecordedWorker] { workers.filter { !($0.hasSeen(control) && $0.isEmpty) && !isShutOut($0) } }

    /// Whether whoever may have something is silent, so that nothing is gained by waiting.
    var isReadyToSeal: Bool {
        control.isPaused && !control.isSealed && busy.allSatisfy { !$0.isLiving(limits) && $0.knowsPauses }
    }

    /// What living workers have in memory.
    var held: Int { living.reduce(0) { $0 + $1.queued + $1.inFlight } }

    /// Whether nobody has anything that could still be settled.
    var isDrained: Bool { control.isPaused && busy.isEmpty }

    private func isShutOut(_ worker: RecordedWorker) -> Bool { control.isSealed && worker.knowsPauses }

    var state: State { !control.isPaused ? .running : isDrained ? .paused : .pausing }

    var pairs: [(key: String, value: JSONValue)] {
        [
            ("state", .string(state.rawValue)), ("since", control.actor == nil ? .null : .time(control.changedAt)),
            ("actor", .string(control.actor)), ("reason", .reason(control.reason)), ("sealed", .bool(control.isSealed)),
        ] + backlog.pairs + [("workers", .array(workers.map(json)))]
    }

    private func json(_ worker: RecordedWorker) -> JSONValue {
        [
            "worker": .count(worker.number), "state": .string(stateText(worker)), "queued": .integer(worker.queued),
            "in_flight": .integer(worker.inFlight), "has_seen": .bool(worker.hasSeen(control)),
            "host": .string(worker.host), "pid": .integer(worker.processID), "version": .string(worker.version),
            "since": .time(worker.startedAt), "heartbeat_at": .time(worker.heartbeatAt),
        ]
    }

    private func stateText(_ worker: RecordedWorker) -> String {
        worker.isLiving(limits) ? worker.state?.rawValue ?? "unknown" : "silent"
    }

    /// How many workers there are: `3 workers, 1 of them silent`.
    var workersText: String {
        workers.count.counted("worker") + (silent.isEmpty ? "" : ", \(silent.count) of them silent")
    }

    /// A worker by its number and place, and how long it has said nothing: `worker 3 (db1, pid 4711, silent for 12s)`.
    func name(_ worker: RecordedWorker) -> String {
        let words =
            worker.isLiving(limits)
            ? "last sign of life \(worker.silence.inLargestUnit) ago" : "silent for \(worker.silence.inLargestUnit)"
        let holds = (worker.queued + worker.inFlight).counted("trade")
        let version = worker.knowsPauses ? "" : ", version \(worker.version.printable), which knows no pauses"
        return "worker \(worker.number) (\(worker.host.printable), pid \(worker.processID), holds \(holds), \(words)"
            + "\(version))"
    }

    func print(to output: Output) throws {
        let circumstances = control.actor == nil ? "" : " \(control.circumstances.printable)"
        let style: Style = state == .running ? .green : .yellow
        try output.line("queue    \(output.styled(state.rawValue, style))\(circumstances)")
        if isDrained {
            try output.line(
                "drained  no worker holds anything"
                    + (control.isSealed ? "; sealed: the database lets no trade settle" : ""))
        }
        try backlog.print(to: output)
        guard !workers.isEmpty else {
            output.note("No worker is running. Start one with 'settle worker'.")
            return
        }
        try output.line()
        var table = Table(
            Table.Column("WORKER", .right), "STATE", Table.Column("QUEUED", .right), Table.Column("IN FLIGHT", .right),
            "HOST", Table.Column("PID", .right), "VERSION", "UP", "LAST SIGN")
        for worker in workers {
            table.add(
                "\(worker.number)", "\(stateText(worker))", "\(worker.queued)", "\(worker.inFlight)", "\(worker.host)",
                "\(worker.processID)", "\(worker.version)", "\(worker.uptime.inLargestUnit)",
                "\(worker.silence.inLargestUnit) ago")
        }
        try output.print(table)
    }
}

extension RecordedWorker {
    /// How long it has been running, by the clock of the database.
    fileprivate var uptime: Duration {
        .microseconds(max(0, heartbeatAt.microseconds - startedAt.microseconds)) + silence
    }
}
