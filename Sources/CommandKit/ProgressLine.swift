import Synchronization

/// What a progress line says, and when it is worth drawing again.
struct ProgressMeter {
    let total: Int?
    private var nextDraw: Duration = .zero
    private static let drawInterval: Duration = .milliseconds(100)

    init(total: Int?) { self.total = total }

    /// The line to draw so long after the start, or nil if the last one is young enough.
    mutating func line(done: Int, after elapsed: Duration) -> String? {
        guard elapsed >= nextDraw else { return nil }
        nextDraw = elapsed + Self.drawInterval
        var parts = [total.map { "\(done.grouped) of \($0.grouped)" } ?? done.grouped]
        let (seconds, attoseconds) = elapsed.components
        let milliseconds = Int(seconds * 1_000 + attoseconds / 1_000_000_000_000_000)
        if done > 0, milliseconds > 0 {
            parts.append("\(Self.scaled(done, by: 1_000, over: milliseconds).grouped)/s")
            if let total, total > done {
                let millisecondsLeft = Self.scaled(total - done, by: milliseconds, over: done)
                parts.append("\(Duration.seconds(millisecondsLeft / 1_000).argumentText) left")
            }
        }
        return parts.joined(separator: " · ")
    }

    private static func scaled(_ value: Int, by factor: Int, over divisor: Int) -> Int {
        Int(clamping: Int128(value) * Int128(factor) / Int128(divisor))
    }
}

/// The progress of long work: a line on stderr, on a terminal only.
public final class ProgressLine: Sendable {
    private let output: Output
    private let elapsed: @Sendable () -> Duration
    private let meter: Mutex<ProgressMeter>

    /// `elapsed` says how long the work has been going on.
    public init(
        _ output: Output, total: Int? = nil, elapsed: (@Sendable () -> Duration)? = nil
    ) {
        let start = ContinuousClock.now
        self.output = output
        self.elapsed = elapsed ?? { ContinuousClock.now - start }
        meter = Mutex(ProgressMeter(total: total))
    }

    public func update(_ done: Int) {
        let elapsed = elapsed()
        if let line = meter.withLock({ $0.line(done: done, after: elapsed) }) { output.showProgress(line) }
    }

    /// Takes the line away.
    public func finish() { output.clearProgress() }
}
