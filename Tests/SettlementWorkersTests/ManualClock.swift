import Foundation

/// A clock that stands still until a test moves it.
final class ManualClock: Clock, @unchecked Sendable {
    struct Instant: InstantProtocol {
        var offset: Duration

        func advanced(by duration: Duration) -> Instant { Instant(offset: offset + duration) }
        func duration(to other: Instant) -> Duration { other.offset - offset }
        static func < (left: Instant, right: Instant) -> Bool { left.offset < right.offset }
    }

    private struct Sleeper {
        let id: Int
        let deadline: Instant
        let continuation: CheckedContinuation<Void, any Error>
    }

    private let lock = NSLock()
    private var time = Instant(offset: .zero)
    private var sleepers: [Sleeper] = []
    private var lastID = 0
    private var watchers: [CheckedContinuation<Void, Never>] = []

    var now: Instant { lock.withLock { time } }
    var minimumResolution: Duration { .zero }

    func sleep(until deadline: Instant, tolerance: Duration? = nil) async throws {
        let id = lock.withLock {
            lastID += 1
            return lastID
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
                let watchers = lock.withLock {
                    guard !Task.isCancelled else {
                        continuation.resume(throwing: CancellationError())
                        return [CheckedContinuation<Void, Never>]()
                    }
                    guard deadline > time else {
                        continuation.resume()
                        return []
                    }
                    sleepers.append(Sleeper(id: id, deadline: deadline, continuation: continuation))
                    defer { self.watchers = [] }
                    return self.watchers
                }
                for watcher in watchers { watcher.resume() }
            }
        } onCancel: {
            let sleeper = lock.withLock {
                sleepers.firstIndex { $0.id == id }.map { sleepers.remove(at: $0) }
            }
            sleeper?.continuation.resume(throwing: CancellationError())
        }
    }

    /// Returns when someone sleeps.
    func untilSomeoneSleeps() async {
        await withCheckedContinuation { watcher in
            let isAsleep = lock.withLock {
                if sleepers.isEmpty { watchers.append(watcher) }
                return !sleepers.isEmpty
            }
            if isAsleep { watcher.resume() }
        }
    }

    /// Moves on to the next moment for which someone sleeps, and wakes who does; false when nobody sleeps.
    @discardableResult
    func advanceToNextSleeper() -> Bool {
        let woken = lock.withLock { () -> [Sleeper] in
            guard let deadline = sleepers.map(\.deadline).min() else { return [] }
            time = max(time, deadline)
            let woken = sleepers.filter { $0.deadline <= time }
            sleepers.removeAll { $0.deadline <= time }
            return woken
        }
        for sleeper in woken { sleeper.continuation.resume() }
        return !woken.isEmpty
    }

    /// How long those who sleep now still have to.
    var pending: [Duration] { lock.withLock { sleepers.map { time.duration(to: $0.deadline) }.sorted() } }
}
