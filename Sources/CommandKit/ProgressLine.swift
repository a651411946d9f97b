import Synchronization

/// What a progress line says, and when it is worth drawing again.
struct ProgressMeter {
    let total: Int?
    /// What is going on, where it is not plain; then there is a bar too.
    let title: String?
    private var nextDraw: Duration = .zero
    private static let drawInterval: Duration = .milliseconds(100)

    private static let barCells = 20

    init(total: Int?, title: String? = nil) {
        self.total = total
        self.title = title
    }

    /// The line to draw so long after the start, or nil if the last one is young enough.
    mutating func line(done: Int, after elapsed: Duration) -> String? {
        guard elapsed >= nextDraw else { return nil }
        nextDraw = elapsed + Self.drawInterval
        if title != nil, done == 0 { return title }
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
        let line = parts.joined(separator: " · ")
        guard let title else { return line }
        return [title, total.map { bar(done, of: $0) }, line].compactMap(\.self).joined(separator: "  ")
    }

    private func bar(_ done: Int, of total: Int) -> String {
        let filled = min(Self.barCells, Self.scaled(done, by: Self.barCells, over: max(1, total)))
        return "[" + String(repeating: "#", count: filled) + String(repeating: "-", count: Self.barCells - filled) + "]"
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
        _ output: Output, title: String? = nil, total: Int? = nil, elapsed: (@Sendable () -> Duration)? = nil
    ) {
        let start = ContinuousClock.now
        self.output = output
        self.elapsed = elapsed ?? { ContinuousClock.now - start }
        meter = Mutex(ProgressMeter(total: total, title: title))
    }

    public func update(_ done: Int) {
        let elapsed = elapsed()
        if let line = meter.withLock({ $0.line(done: done, after: elapsed) }) { output.showProgress(line) }
    }

    /// Takes the line away.
    public func finish() { output.clearProgress() }
}
