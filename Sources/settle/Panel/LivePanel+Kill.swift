import Repository
import SettlementWorkers
import WalletClient

/// Killing a worker's connection, and watching what becomes of it.
extension LivePanel {
    private struct Victim {
        /// Its place among the connections.
        let index: Int
        let backend: Int32
        /// nil when nobody was at work on it.
        let worker: Int?

        var name: String { worker.map { "worker \($0 + 1)'s connection" } ?? "an idle connection" }
        var owner: String { worker.map { "worker \($0 + 1)" } ?? "it is" }
    }

    private static let huntTimeout = Duration.seconds(2)
    private static let recoveryTimeout = Duration.seconds(30)
    private static let lookInterval = Duration.milliseconds(1)

    /// Ends the connection of a worker in the middle of its work: of the given one, or of the next that is at work.
    func kill(_ worker: Int?) async {
        do {
            guard let victim = try await hunt(worker) else {
                remarks.add(
                    worker.map { "worker \($0 + 1) was not at work; nothing was killed" }
                        ?? "no connection was there to be killed")
                return
            }
            lastKilled = victim.worker ?? lastKilled
            remarks.add("\(victim.name) killed (PostgreSQL process \(victim.backend))", tone: .bad)
            await watchRecovery(of: victim)
        } catch is CancellationError {
        } catch {
            let reason = (error as? DatabaseError)?.message ?? "\(error)"
            remarks.add("cannot kill a connection: \(reason)", tone: .bad)
        }
    }

    /// A settlement takes a millisecond or two, so we ask again and again until one is met at work.
    private func hunt(_ wanted: Int?) async throws -> Victim? {
        let deadline = ContinuousClock.now + Self.huntTimeout
        while ContinuousClock.now < deadline {
            let found = await service.wallets.connections.enumerated()
                .compactMap { index, connection -> Victim? in
                    guard let backend = connection.backend, let worker = connection.worker else { return nil }
                    return wanted == nil || wanted == worker
                        ? Victim(index: index, backend: backend, worker: worker) : nil
                }
            // The next one after the last, so that every worker has its turn.
            let next = found.min { turn(of: $0) < turn(of: $1) }
            if let next, try await database.terminate(next.backend, onlyAtWork: true) { return next }
            try await Task.sleep(for: Self.lookInterval)
        }
        guard wanted == nil else { return nil }
        for (index, connection) in await service.wallets.connections.enumerated() {
            guard let backend = connection.backend else { continue }
            if try await database.terminate(backend, onlyAtWork: false) {
                return Victim(index: index, backend: backend, worker: nil)
            }
        }
        return nil
    }

    private func turn(of victim: Victim) -> Int {
        let count = state.pool.workers.count
        return (victim.worker! - lastKilled - 1 + count) % count
    }

    /// Tells when the connection is there again, and whether the database then counts what we do.
    private func watchRecovery(of victim: Victim) async {
        let deadline = ContinuousClock.now + Self.recoveryTimeout
        while ContinuousClock.now < deadline, !Task.isCancelled {
            let connection = await service.wallets.connections[victim.index]
            if let backend = connection.backend, backend != victim.backend {
                await lookAtBooks()
                let isGood = state.books?.agrees == true && state.books?.unbalancedAssets == 0
                remarks.add(
                    "\(victim.owner) reconnected (process \(backend)): "
                        + (isGood ? "nothing lost, nothing doubled" : "the books could not be compared"),
                    tone: isGood ? .good : .plain)
                return
            }
            try? await Task.sleep(for: .milliseconds(20))
        }
        if !Task.isCancelled { remarks.add("the connection is not used again yet: nothing needed it") }
    }
}
