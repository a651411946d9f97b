import Glibc
import Synchronization
import TradeModel

/// Writes what happens to stderr, one line an event, as `key=value` pairs that both people and machines read.
///
/// No payloads above `debug`, and no secrets at all: connection strings are never logged.
public struct Log: Sendable {
    public enum Level: String, Sendable, CaseIterable, Comparable {
        case debug, info, warning, error

        fileprivate var rank: Int { Self.allCases.firstIndex(of: self)! }

        public static func < (left: Level, right: Level) -> Bool { left.rank < right.rank }
    }

    /// Shared by all copies, so that a change reaches everybody who holds one.
    private final class Threshold: Sendable {
        let rank: Atomic<Int>

        init(_ level: Level) { rank = Atomic(level.rank) }
    }

    private let threshold: Threshold
    private let write: @Sendable (String) -> Void

    public init(level: Level = .info, write: @escaping @Sendable (String) -> Void = Log.toStandardError) {
        threshold = Threshold(level)
        self.write = write
    }

    /// Events below it are not written. It may change at any time, and then does for all copies of the log.
    public var level: Level {
        get { Level.allCases[threshold.rank.load(ordering: .relaxed)] }
        nonmutating set { threshold.rank.store(newValue.rank, ordering: .relaxed) }
    }

    /// A log that nobody reads.
    public static let silent = Log(level: .error) { _ in }

    public func debug(_ event: String, _ fields: KeyValuePairs<String, String> = [:]) { log(.debug, event, fields) }
    public func info(_ event: String, _ fields: KeyValuePairs<String, String> = [:]) { log(.info, event, fields) }
    public func warning(_ event: String, _ fields: KeyValuePairs<String, String> = [:]) {
        log(.warning, event, fields)
    }
    public func error(_ event: String, _ fields: KeyValuePairs<String, String> = [:]) { log(.error, event, fields) }

    /// Whether events of a level are written, for callers whose fields cost something to make.
    public func writes(_ level: Level) -> Bool { level >= self.level }

    private func log(_ level: Level, _ event: String, _ fields: KeyValuePairs<String, String>) {
        guard writes(level) else { return }
        var line = "time=\(Timestamp.now) level=\(level.rawValue) event=\(Self.quoted(event))"
        for (key, value) in fields { line += " \(key)=\(Self.quoted(value))" }
        write(line + "\n")
    }

    /// A value stands bare where it is one plain word; everything else is quoted, with what a terminal would act on
    /// escaped.
    static func quoted(_ value: String) -> String {
        let isPlain =
            !value.isEmpty
            && value.unicodeScalars.allSatisfy { $0.value > 0x20 && $0 != "\"" && $0 != "=" && $0.value < 0x7f }
        if isPlain { return value }
        var text = "\""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\"", "\\": text += "\\\(scalar)"
            case "\n": text += "\\n"
            case _ where isHostile(scalar):
                text += "\\u{\(String(scalar.value, radix: 16))}"
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text + "\""
    }

    /// Whether a terminal would act on it, or let it change how its neighbours read: as tables decide it, which this
    /// module does not know.
    private static func isHostile(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .lineSeparator, .paragraphSeparator: true
        // The joiners of scripts and emoji.
        case .format: scalar.value != 0x200C && scalar.value != 0x200D
        default: false
        }
    }

    /// One call of write(2) a line, so that lines of several threads and processes stay whole.
    @Sendable public static func toStandardError(_ line: String) {
        var line = line
        line.withUTF8 { bytes in _ = Glibc.write(STDERR_FILENO, bytes.baseAddress, bytes.count) }
    }
}

extension Timestamp {
    /// The wall clock. What it says decides nothing about money.
    public static var now: Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1_000)
    }
}
