import ServiceKit

/// What those who bring items pass before they take any: shut while the queue is paused.
///
/// It also knows who is just taking something in, so that a worker says that it has obeyed when nobody is any more.
final class IntakeGate: Sendable {
    private struct State: Sendable {
        var isShut = false
        var waiting: [CheckedContinuation<Void, Never>] = []
        var takingCount = 0
        var heldCount = 0
    }

    private let state = Guarded(State())

    /// Waits while the gate is shut. Whoever has passed says with ``took(_:)`` what it got, if only nothing.
    func pass() async {
        await withCheckedContinuation { continuation in
            let isOpen = state.withLock { state in
                if state.isShut { state.waiting.append(continuation) } else { state.takingCount += 1 }
                return !state.isShut
            }
            if isOpen { continuation.resume() }
        }
    }

    /// Passes only if nobody has to wait.
    func tryPass() -> Bool {
        state.withLock { state in
            if !state.isShut { state.takingCount += 1 }
            return !state.isShut
        }
    }

    func took(_ count: Int) {
        state.withLock { state in
            state.takingCount -= 1
            state.heldCount += count
        }
    }

    /// So many of what was taken are in the queue now, or given back.
    func handedOn(_ count: Int) {
        state.withLock { $0.heldCount -= count }
    }

    func shut() {
        state.withLock { $0.isShut = true }
    }

    func open() {
        let waiting = state.withLock { state in
            state.isShut = false
            state.takingCount += state.waiting.count
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }

    /// How many are taking something in, and how many items are between that and the queue.
    var counts: (taking: Int, held: Int) { state.withLock { ($0.takingCount, $0.heldCount) } }
}
