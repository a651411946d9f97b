import ServiceKit
import TradeModel
import WalletClient

/// How what sources bring comes into the pool.
extension SettlementService {
    public enum WhenFull: String, Sendable, CaseIterable {
        /// The sender is held back.
        case wait
        /// It is parked as `queue_full`, and the sender goes on.
        case park
    }

    nonisolated func read(_ source: any Source) async {
        do {
            while let items = try await takeIn(from: source) {
                defer { gate.handedOn(items.count) }
                do {
                    try await bring(items, of: source)
                } catch {
                    if !source.isReplayable { await keep(items.dropFirst(error.taken)) }
                    throw error
                }
            }
        } catch let error as PoolError {
            configuration.log.warning("intake ended", ["reason": "\(error)"])
        } catch is CancellationError {
            configuration.log.warning("intake ended", ["reason": "cancelled"])
        } catch {
            configuration.log.error("intake failed", ["reason": "\(error)"])
            await fail("\(error)")
        }
    }

    /// Asks a source for more, when the queue is not paused.
    private nonisolated func takeIn(from source: any Source) async throws -> [SettlementItem]? {
        await gate.pass()
        var count = 0
        defer { gate.took(count) }
        let items = try await source.next()
        count = items?.count ?? 0
        return items
    }

    /// Brings what a source gave to the pool, or parks what has no room there, as it is configured.
    private nonisolated func bring(_ items: [SettlementItem], of source: any Source) async throws(PoolError) {
        // At the end everybody waits: the sources give what they still have, and nothing more comes.
        guard configuration.whenFull == .park, !source.isReplayable, !stopSignal.hasFired else {
            return try await pool.submit(items)
        }
        var rest = items[...]
        while !rest.isEmpty {
            do {
                rest = rest.dropFirst(try await pool.submitWhatFits(rest))
            } catch { throw .closed(taken: items.count - rest.count) }
            let refused = rest.prefix(configuration.limits.batchSizeMax)
            guard !refused.isEmpty else { return }
            try await parkAsFull(Array(refused), after: items.count - rest.count)
            rest = rest.dropFirst(refused.count)
        }
    }

    /// Parks items, however long the database is away.
    private nonisolated func parkAsFull(_ items: [SettlementItem], after taken: Int) async throws(PoolError) {
        let rejection = Rejection(
            .queueFull, "the queue was full: \(configuration.limits.queueCapacity) were waiting in the worker")
        while true {
            do {
                let outcomes = try await wallets.park(items, because: rejection)
                configuration.log.recordParked(items, outcomes, worker: worker)
                return
            } catch {
                configuration.log.warning("parking failed", ["reason": error.fault?.description ?? "overtaken"])
            }
            do {
                try await wallets.untilAvailable()
                try await Task.sleep(for: .milliseconds(configuration.limits.retryBackoffMilliseconds))
            } catch { throw .cancelled(taken: taken) }
        }
    }
}

extension Log {
    fileprivate func recordParked(_ items: [SettlementItem], _ outcomes: [Outcome], worker: Int64) {
        for (item, outcome) in zip(items, outcomes) {
            guard case .rejected(let rejection) = outcome else { continue }
            warning(
                "parked",
                [
                    "trade": item.name, "class": rejection.failureClass.rawValue, "reason": rejection.message,
                    "worker": "\(worker)",
                ])
        }
    }
}

extension SettlementService.Source {
    public var isReplayable: Bool { false }
}
