import Repository
import ServiceKit
import TradeModel

/// How a worker obeys the operators of its database.
extension SettlementService {
    /// How the queue stood when the worker last looked.
    public nonisolated var queueControl: QueueControl { gate.control }

    /// Takes over what was read of the queue's control, unless it is older than what is known.
    nonisolated func obey(_ control: QueueControl) {
        let before = gate.obey(control)
        guard control.revision > before.revision, control.isPaused != before.isPaused else { return }
        configuration.log.warning(
            control.isPaused ? "queue is paused" : "queue goes on",
            [
                "worker": "\(worker)", "actor": control.actor ?? "", "reason": control.reason ?? "",
                "since": "\(control.changedAt)",
            ])
    }

    /// What the worker says of itself: what it holds, and what it obeys.
    nonisolated func report() async -> WorkerReport {
        // The gate first: what passes on meanwhile is counted behind it then, and nothing is missed.
        let control = queueControl
        let (taking, waiting) = gate.counts
        let snapshot = await pool.snapshot()
        let queued = snapshot.queueDepth + waiting
        let holdsNothing = taking + queued + snapshot.inFlight == 0
        return WorkerReport(
            state: stopSignal.hasFired
                ? .stopping : !control.isPaused ? .running : holdsNothing ? .paused : .pausing,
            queued: queued, inFlight: snapshot.inFlight,
            // Who is still taking something in has not obeyed yet.
            seenRevision: control.isPaused && taking > 0 ? control.revision - 1 : control.revision)
    }

    /// Tells the database at once what operators wait for: that a change was seen, and that nothing is left.
    nonisolated func reportChanges() async throws {
        let report = await report()
        let isNew = lastReport.withLock { last in
            last?.state != report.state || last?.seenRevision != report.seenRevision
        }
        if isNew { try await beat(report) }
    }

    nonisolated func beat(_ report: WorkerReport) async throws {
        obey(try await control.beat(report))
        lastReport.withLock { $0 = report }
    }
}
