import ServiceKit
import SettlementWorkers

/// Counts what is settled, in all and within the window that is open.
final class LoadMeter: Sendable {
    /// How the latency of a trade with a due time is found from its number.
    struct Schedule: Sendable {
        var start: ContinuousClock.Instant
        var firstPlace: Int
        var perSecond: Int

        func due(_ number: Int) -> ContinuousClock.Instant {
            start + .nanoseconds(Int64(number - firstPlace) * 1_000_000_000 / Int64(perSecond))
        }
    }

    struct Counts: Sendable {
        var settled = 0
        var rejected = 0
        var duplicates = 0
        var commits = 0
        var latencies = LatencyCounts()
        var lastCommit: ContinuousClock.Instant?

        var finished: Int { settled + rejected + duplicates }
    }

    private struct State: Sendable {
        var all = Counts()
        var window: Counts?
        var schedule: Schedule?
    }

    private let state = Guarded(State())

    @Sendable func record(_ completions: [Completion]) {
        let now = ContinuousClock.now
        state.withLock { state in
            Self.count(completions, into: &state.all)
            state.all.lastCommit = now
            guard var window = state.window.take() else { return }
            Self.count(completions, into: &window)
            window.lastCommit = now
            for completion in completions {
                guard case .settled = completion.outcome else { continue }
                var latency = completion.elapsed
                if let schedule = state.schedule, let number = completion.item.trade.flatMap(LoadLine.number(of:)) {
                    latency = schedule.due(number).duration(to: now)
                }
                window.latencies.record(nanoseconds: latency.nanoseconds)
            }
            state.window = window
        }
    }

    private static func count(_ completions: [Completion], into counts: inout Counts) {
        counts.commits += 1
        for completion in completions {
            switch completion.outcome {
            case .settled: counts.settled += 1
            case .rejected: counts.rejected += 1
            case .duplicate: counts.duplicates += 1
            case .deferred: break
            }
        }
    }

    var all: Counts { state.withLock { $0.all } }

    /// From here on latencies are counted from when a trade was due; with nil, from when it was submitted.
    func follow(_ schedule: Schedule?) {
        state.withLock { $0.schedule = schedule }
    }

    func openWindow() {
        state.withLock { $0.window = Counts() }
    }

    func closeWindow() -> Counts {
        state.withLock { $0.window.take() ?? Counts() }
    }
}

extension Duration {
    var nanoseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds * 1_000_000_000 + attoseconds / 1_000_000_000
    }
}
