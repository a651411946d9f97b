import ServiceKit

/// What the engine has done, and how far the books are behind it.
final class EngineMeter: Sendable {
    struct Reading: Equatable {
        /// Orders that were placed in this run, and trades that came of them.
        var orders = 0
        var trades = 0
        var openOrders = 0
        /// The newest record that is known.
        var sequence: Int64 = 0
        /// Everything up to this record is settled.
        var watermark: Int64 = 0
        /// For how long the oldest record that is not settled has waited.
        var delay = Duration.zero
        /// Whether the market waits for the books.
        var isHeldBack = false

        /// How many records are not settled.
        var lag: Int { Int(max(0, sequence - watermark)) }
    }

    struct Second {
        var orders = 0
        var trades = 0
    }

    private struct Sample {
        let sequence: Int64
        let at: ContinuousClock.Instant
    }

    private struct State: Sendable {
        var reading = Reading()
        var second = Second()
        /// When records were made, the oldest that are not settled first.
        var samples: [Sample] = []

        mutating func reach(_ sequence: Int64) {
            guard sequence > reading.sequence else { return }
            reading.sequence = sequence
            if samples.count < EngineMeter.samplesMax { samples.append(Sample(sequence: sequence, at: .now)) }
        }
    }

    private static let samplesMax = 100_000

    private let state = Guarded(State())

    var reading: Reading {
        state.withLock { state in
            var reading = state.reading
            reading.delay = state.samples.first.map { ContinuousClock.now - $0.at } ?? .zero
            return reading
        }
    }

    /// What happened since the last call.
    func takeSecond() -> Second {
        state.withLock { state in
            defer { state.second = Second() }
            return state.second
        }
    }

    func carriedOut(orders: Int, trades: Int, upTo sequence: Int64) {
        state.withLock { state in
            state.reading.orders += orders
            state.reading.trades += trades
            state.second.orders += orders
            state.second.trades += trades
            state.reach(sequence)
        }
    }

    /// Takes over what the engine itself says.
    func stands(at sequence: Int64, openOrders: Int, trades: Int) {
        state.withLock { state in
            state.reading.openOrders = openOrders
            // More than was counted where answers came too late.
            state.reading.trades = max(state.reading.trades, trades)
            state.reach(sequence)
        }
    }

    func settled(upTo watermark: Int64) {
        state.withLock { state in
            state.reading.watermark = max(state.reading.watermark, watermark)
            let settled = state.samples.prefix { $0.sequence <= watermark }.count
            state.samples.removeFirst(settled)
        }
    }

    func isHeldBack(_ isHeldBack: Bool) {
        state.withLock { $0.reading.isHeldBack = isHeldBack }
    }
}
