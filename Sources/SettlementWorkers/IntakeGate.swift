import Repository
import ServiceKit

/// What those who bring items pass before they take any: shut while the queue is paused.
///
/// It holds the queue's control as it was last read, so that the one never says other than the other. It also knows who
/// is just taking something in, so that a worker says that it has obeyed when nobody is any more.
final class IntakeGate: Sendable {
    private struct State: Sendable {
        var control: QueueControl
        var isOpenForGood = false
        var waiting: [CheckedContinuation<Void, Never>] = []
        var takingCount = 0
        var heldCount = 0

        var isShut: Bool { control.isPaused && !isOpenForGood }

        /// Those who need wait no longer; they are taking something in from now on.
        mutating func released() -> [CheckedContinuation<Void, Never>] {
            guard !isShut else { return [] }
            takingCount += waiting.count
            defer { waiting = [] }
            return waiting
        }
    }

    private let state: Guarded<State>

    init(_ control: QueueControl) {
        state = Guarded(State(control: control))
    }

    /// How the queue stood when somebody last looked.
    var control: QueueControl { state.withLock { $0.control } }

    /// Takes over what was read of the queue's control, unless it is older than what is known; returns what was known.
    func obey(_ control: QueueControl) -> QueueControl {
        let (before, released) = state.withLock { state in
            let before = state.control
            if control.revision >= before.revision { state.control = control }
            return (before, state.released())
        }
        for continuation in released { continuation.resume() }
        return before
    }

    /// At the end nothing shuts it any more: what has been received exists nowhere else, and is stored.
    func openForGood() {
        let released = state.withLock { state in
            state.isOpenForGood = true
            return state.released()
        }
        for continuation in released { continuation.resume() }
    }

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

    /// How many are taking something in, and how many items are between that and the queue.
    var counts: (taking: Int, held: Int) { state.withLock { ($0.takingCount, $0.heldCount) } }
}
