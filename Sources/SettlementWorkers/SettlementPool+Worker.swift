import ServiceKit
import TradeModel
import WalletClient

extension SettlementPool {
    /// One hand of a worker: takes what has arrived in its lane and brings it to its end, batch after batch.
    nonisolated func work(_ lane: Int, _ hand: Int) async {
        await CurrentWorker.$number.withValue(lane) {
            var generator = SeededGenerator(seed: seed &+ UInt64(lane) &+ UInt64(hand) << 32)
            var isFirst = true
            while let assignment = await next(of: lane, isFirst: isFirst) {
                isFirst = false
                await settle(assignment.batch, in: assignment.turn, using: &generator)
                assignment.turn.reach(.over)
            }
        }
        await left(lane)
    }

    private nonisolated func settle(
        _ batch: PoolState.Batch, in turn: Turn, using generator: inout SeededGenerator
    ) async {
        var progress = BatchProgress(count: batch.items.count, policy: policy.withLock { $0 })
        while true {
            guard !Task.isCancelled else {
                turn.fail()
                await handBack(batch.part(progress.remaining))
                return
            }
            let failure: WalletError
            switch progress.next {
            case .finished:
                return
            case .settle(let range, let lostBatch):
                let part = range.count == batch.items.count ? batch : batch.part(range)
                switch await shielded({ await Self.settle(part.items, resolving: lostBatch, in: turn, with: $0) }) {
                case .success(let outcomes):
                    _ = await turn.untilPredecessor(.over)
                    await report(outcomes, for: part, attempts: progress.attempts, isParked: false)
                    progress.succeeded()
                    continue
                case .failure(let error):
                    failure = error
                }
            case .park(let index, let rejection, let tries):
                let part = batch.part(index..<index + 1)
                switch await shielded({ await Self.park(part.items[0], rejection, tries, with: $0) }) {
                case .success(let outcome):
                    await report([outcome], for: part, attempts: tries.count, isParked: true)
                    progress.succeeded()
                    continue
                case .failure(let error):
                    failure = error
                }
            }
            turn.fail()
            guard await turn.untilPredecessor(.over) else {
                await givesBack(batch.part(progress.remaining))
                return
            }
            await tryAgain(batch.lane)
            let pause = progress.failed(failure, at: .now, using: &generator)
            await self.pause(pause, &progress, of: batch)
        }
    }

    /// Pauses as long as it takes, or until the worker is cancelled.
    private nonisolated func pause(
        _ pause: BatchProgress.Pause, _ progress: inout BatchProgress, of batch: PoolState.Batch
    ) async {
        switch pause {
        case .none:
            return
        case .backOff(let duration):
            await backsOff(batch.lane, for: duration, givingBack: batch.part(progress.giveBack()))
            try? await clock.sleep(for: duration)
        case .untilAvailable:
            await waitsForDatabase(batch.lane)
            try? await wallet.untilAvailable()
        }
        await goesOn(batch.lane, with: progress.remaining.count)
    }

    private nonisolated func report(
        _ outcomes: [Outcome], for part: PoolState.Batch, attempts: Int, isParked: Bool
    ) async {
        precondition(outcomes.count == part.items.count, "the wallet answers for each item")
        let now = timeSinceStart()
        var completions: [Completion] = []
        completions.reserveCapacity(outcomes.count)
        for index in outcomes.indices {
            completions.append(
                Completion(
                    item: part.items[index], outcome: outcomes[index], attempts: attempts,
                    elapsed: now - part.submittedAt[index]))
        }
        onCompletion(completions)
        await committed(completions, slots: part.slots[...], of: part.lane, isParked: isParked)
    }

    /// Runs a write in a task of its own, so that a cancelled worker learns how it ended.
    private nonisolated func shielded<Value: Sendable>(
        _ write: @escaping @Sendable (any SettlementWallet) async -> Value
    ) async -> Value {
        await Task(executorPreference: executor) { [wallet] in await write(wallet) }.value
    }

    private static func settle(
        _ items: [SettlementItem], resolving lostBatch: BatchNumber?, in turn: Turn, with wallet: any SettlementWallet
    ) async -> Result<[Outcome], WalletError> {
        do throws(WalletError) {
            return .success(try await wallet.settle(items, resolving: lostBatch, in: turn))
        } catch {
            return .failure(error)
        }
    }

    private static func park(
        _ item: SettlementItem, _ rejection: Rejection, _ tries: [FailedAttempt], with wallet: any SettlementWallet
    ) async -> Result<Outcome, WalletError> {
        do throws(WalletError) {
            return .success(try await wallet.park(item, because: rejection, after: tries))
        } catch {
            return .failure(error)
        }
    }
}
