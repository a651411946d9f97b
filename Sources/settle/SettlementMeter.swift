import ServiceKit
import SettlementWorkers
import TradeModel

/// Counts the trades that were settled, and how fast. What an engine holds and releases for them is not counted.
final class SettlementMeter: Sendable {
    struct Second {
        var settledInAll: Int
        var settled: Int
        var parkedInAll: Int
        var p50: String
        var p99: String
    }

    private struct State: Sendable {
        var settled = 0
        var parked = 0
        var settledThisSecond = 0
        var latencies = LatencyHistogram()
        var lastSettled: Trade?
    }

    private let state = Guarded(State())

    @Sendable func record(_ completions: [Completion]) {
        state.withLock { state in
            for completion in completions {
                switch completion.outcome {
                case .settled:
                    guard case .trade(let trade) = completion.item.subject else { continue }
                    state.settled += 1
                    state.settledThisSecond += 1
                    state.latencies.record(completion.elapsed)
                    state.lastSettled = trade
                case .rejected: state.parked += 1
                case .duplicate, .deferred: break
                }
            }
        }
    }

    var totals: (settled: Int, parked: Int) { state.withLock { ($0.settled, $0.parked) } }

    /// The newest trade that was settled.
    var lastSettled: Trade? { state.withLock { $0.lastSettled } }

    func takeSecond() -> Second {
        state.withLock { state in
            let second = Second(
                settledInAll: state.settled, settled: state.settledThisSecond, parkedInAll: state.parked,
                p50: state.latencies.quantile(perMille: 500).map(\.milliseconds) ?? "-",
                p99: state.latencies.quantile(perMille: 990).map(\.milliseconds) ?? "-")
            state.settledThisSecond = 0
            state.latencies = LatencyHistogram()
            return second
        }
    }
}
