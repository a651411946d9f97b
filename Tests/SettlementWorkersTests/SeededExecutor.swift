import Foundation
import ServiceKit

/// Runs every job of the tasks that prefer it on the thread that drives it, one at a time, in an order that follows
/// from the seed.
final class SeededExecutor: TaskExecutor, @unchecked Sendable {
    private let lock = NSLock()
    private var jobs: [UnownedJob] = []
    private var generator: SeededGenerator

    init(seed: UInt64) {
        generator = SeededGenerator(seed: seed)
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        lock.withLock { jobs.append(job) }
    }

    /// Runs one of the jobs that can run; false when there is none.
    func runNext() -> Bool {
        let job = lock.withLock { () -> UnownedJob? in
            guard !jobs.isEmpty else { return nil }
            jobs.swapAt(Int.random(in: 0..<jobs.count, using: &generator), jobs.count - 1)
            return jobs.removeLast()
        }
        guard let job else { return false }
        job.runSynchronously(on: asUnownedTaskExecutor())
        return true
    }
}
