import ServiceKit

/// Where the consumer's socket and the task that takes the batches meet.
final class FeedInbox: Sendable {
    enum End: Sendable {
        case stopped
        case failed(any Error)
    }

    /// What the task has done since the socket's thread last looked.
    struct Progress: Sendable {
        var taken: [RecordRun] = []
        var acknowledged: Int64?
        var isStopped = false
    }

    private struct State: Sendable {
        /// No longer than the credit.
        var arrived: [RecordRun] = []
        var waiting: CheckedContinuation<RecordRun?, any Error>?
        var end: End?
        var progress = Progress()
        var status = FeedConsumer.Status()
    }

    private let state = Guarded(State())
    let wake: WakeSignal
    private let onArrival: @Sendable () -> Void

    init(onArrival: @escaping @Sendable () -> Void) throws(SocketFailure) {
        wake = try WakeSignal()
        self.onArrival = onArrival
    }

    func next() async throws -> RecordRun? {
        defer { wake.raise() }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let result = state.withLock { state -> Result<RecordRun?, any Error>? in
                    precondition(state.waiting == nil, "two tasks take from one consumer")
                    if Task.isCancelled { return .failure(CancellationError()) }
                    if !state.arrived.isEmpty {
                        let run = state.arrived.removeFirst()
                        state.progress.taken.append(run)
                        return .success(run)
                    }
                    switch state.end {
                    case nil:
                        state.waiting = continuation
                        return nil
                    case .stopped: return .success(nil)
                    case .failed(let error): return .failure(error)
                    }
                }
                if let result { continuation.resume(with: result) }
            }
        } onCancel: {
            let waiting = state.withLock { state in
                defer { state.waiting = nil }
                return state.waiting
            }
            waiting?.resume(throwing: CancellationError())
        }
    }

    func takeNow() throws -> RecordRun? {
        let run = try state.withLock { state -> RecordRun? in
            guard !state.arrived.isEmpty else {
                if case .failed(let error) = state.end { throw error }
                return nil
            }
            let run = state.arrived.removeFirst()
            state.progress.taken.append(run)
            return run
        }
        if run != nil { wake.raise() }
        return run
    }

    func acknowledge(_ sequence: Int64) {
        state.withLock { $0.progress.acknowledged = max(sequence, $0.progress.acknowledged ?? sequence) }
        wake.raise()
    }

    func stop() {
        state.withLock { $0.progress.isStopped = true }
        wake.raise()
    }

    var status: FeedConsumer.Status { state.withLock { $0.status } }

    // What the socket's thread does.

    func update(_ status: FeedConsumer.Status) {
        state.withLock { $0.status = status }
    }

    func deliver(_ run: RecordRun, _ status: FeedConsumer.Status) {
        let waiting = state.withLock { state in
            state.status = status
            if state.waiting == nil { state.arrived.append(run) } else { state.progress.taken.append(run) }
            defer { state.waiting = nil }
            return state.waiting
        }
        waiting?.resume(returning: run)
        onArrival()
    }

    func progress() -> Progress {
        state.withLock { state in
            defer {
                state.progress.taken = []
                state.progress.acknowledged = nil
            }
            return state.progress
        }
    }

    func finish(_ end: End) {
        let waiting = state.withLock { state in
            state.end = end
            defer { state.waiting = nil }
            return state.waiting
        }
        switch end {
        case .stopped: waiting?.resume(returning: nil)
        case .failed(let error): waiting?.resume(throwing: error)
        }
        onArrival()
    }
}
