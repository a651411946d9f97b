import Foundation
import Repository
import ServiceKit

/// Another way to do the same work on the same server, to be compared with.
public enum OpponentKind: String, Sendable, CaseIterable, Codable {
    /// One transaction a trade, a statement at a time, ten connections, and one account that receives all fees.
    case naive
    /// The same, with an account for the fees for each connection.
    case naiveStriped = "naive_striped"
    /// One call of a stored function a trade, eight connections, with an account for the fees for each.
    case function
    /// PostgreSQL's own benchmark: TPC-B, prepared, eight clients.
    case pgbench
    /// The rows of the trades alone, by COPY BINARY into a table with the same key: what the server takes at all.
    case copy

    /// Whether it depends on who trades with whom.
    var heedsSkew: Bool {
        switch self {
        case .naive, .naiveStriped, .function: true
        case .pgbench, .copy: false
        }
    }
}

/// One connection of an opponent, working in a thread of its own.
protocol OpponentWorker: AnyObject {
    /// Does the next piece of work and returns how many trades that were.
    func step() throws -> Int
}

/// Lets the workers of an opponent work for a while, and counts.
struct OpponentRun: Sendable {
    var workerCount: Int
    var warmUp: Duration
    var window: Duration

    /// - Parameter make: makes the worker of a number, in its thread.
    /// - Returns: how many trades a second were done in the window.
    func perSecond(_ make: @escaping @Sendable (Int) throws -> any OpponentWorker) async throws -> Double {
        let state = Guarded(State())
        let ended = DispatchGroup()
        let connected = DispatchGroup()
        for number in 0..<workerCount {
            ended.enter()
            connected.enter()
            Thread.detachNewThread {
                defer { ended.leave() }
                let worker = Result { try make(number) }
                connected.leave()
                do {
                    let worker = try worker.get()
                    while !state.withLock({ $0.isOver }) {
                        let done = try worker.step()
                        state.withLock { if $0.isCounting { $0.done += done } }
                    }
                } catch {
                    state.withLock { state in
                        state.failure = state.failure ?? "\(error)"
                        state.isOver = true
                    }
                }
            }
        }
        await connected.end()
        try? await Task.sleep(for: warmUp)
        let start = ContinuousClock.now
        state.withLock { $0.isCounting = true }
        try? await Task.sleep(for: window)
        let (done, seconds) = state.withLock { state in
            state.isCounting = false
            state.isOver = true
            return (state.done, Double(start.duration(to: .now).nanoseconds) / 1e9)
        }
        await ended.end()
        if let failure = state.withLock({ $0.failure }) { throw BenchmarkError(failure) }
        try Task.checkCancellation()
        return Double(done) / seconds
    }

    private struct State: Sendable {
        var isOver = false
        var isCounting = false
        var done = 0
        var failure: String?
    }
}

extension DispatchGroup {
    /// Returns when all have left.
    fileprivate func end() async {
        await withCheckedContinuation { continuation in
            notify(queue: .global()) { continuation.resume() }
        }
    }
}
