import Dispatch
import ServiceKit

/// A batch's place behind an earlier one of the same accounts, so that both can be in work at once.
///
/// The later batch is planned and written when the earlier has changed all its balances, which stay locked, so that
/// nothing overtakes; it commits, and is told of, only after the earlier. Should the earlier fail, the later is not
/// settled and comes again behind it.
public final class Turn: Sendable {
    public enum Stage: Comparable, Sendable {
        case begun
        /// It has locked all rows that it changes, and changed them.
        case written
        case committed
        /// Whoever wants to know was told of it, or it came to nothing.
        case over
    }

    private struct State: Sendable {
        var stage = Stage.begun
        /// Nobody can follow a batch that takes more than one try.
        var hasFailed = false
        var predecessor: Turn?
        var followers: [(stage: Stage, goOn: @Sendable () -> Void)] = []

        /// What became of the wait for a stage; nil while it lasts.
        func answer(_ stage: Stage) -> Bool? { hasFailed ? false : self.stage >= stage ? true : nil }

        mutating func takeAnswered() -> [@Sendable () -> Void] {
            let all = followers
            followers = all.filter { answer($0.stage) == nil }
            return all.filter { answer($0.stage) != nil }.map(\.goOn)
        }
    }

    private let state: Guarded<State>

    /// - Parameter predecessor: the latest batch of the same accounts, if any is in work.
    public init(after predecessor: Turn? = nil) {
        state = Guarded(State(predecessor: predecessor.flatMap { $0.isOver ? nil : $0 }))
    }

    private var isOver: Bool { state.withLock { $0.stage == .over } }

    // MARK: What becomes of the batch

    public func reach(_ stage: Stage) {
        change { state in
            // From the second try on it may be a part of the batch that is so far.
            guard !state.hasFailed || stage == .over else { return }
            state.stage = max(state.stage, stage)
            if stage == .over { state.predecessor = nil }
        }
    }

    /// The batch needs another try; who follows it must not.
    public func fail() {
        change { $0.hasFailed = $0.hasFailed || $0.stage < .committed }
    }

    private func change(_ body: (inout State) -> Void) {
        let answered = state.withLock { state in
            body(&state)
            return state.takeAnswered()
        }
        for goOn in answered { goOn() }
    }

    // MARK: What becomes of the one before it

    /// Waits until the batch before this one is so far; false when it failed.
    public func untilPredecessor(_ stage: Stage) async -> Bool {
        guard let predecessor = state.withLock({ $0.predecessor }) else { return true }
        await withCheckedContinuation { continuation in
            predecessor.whenAnswered(stage) { continuation.resume() }
        }
        return predecessor.state.withLock { $0.answer(stage)! }
    }

    /// The same for a thread that may be blocked.
    func blockUntilPredecessor(_ stage: Stage) throws(WalletError) {
        guard let predecessor = state.withLock({ $0.predecessor }) else { return }
        let semaphore = DispatchSemaphore(value: 0)
        predecessor.whenAnswered(stage) { semaphore.signal() }
        semaphore.wait()
        guard predecessor.state.withLock({ $0.answer(stage)! }) else { throw .outOfTurn }
    }

    private func whenAnswered(_ stage: Stage, _ goOn: @escaping @Sendable () -> Void) {
        let isAnswered = state.withLock { state in
            if state.answer(stage) != nil { return true }
            state.followers.append((stage, goOn))
            return false
        }
        if isAnswered { goOn() }
    }
}
