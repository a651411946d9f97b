import TradeModel

/// A limit whose environment variable does not hold what it should.
public struct InvalidLimit: Error, CustomStringConvertible {
    public let description: String
}

extension Limits {
    /// Every limit by its name, with the values that make sense. The environment variable of `queueCapacity` is
    /// `SETTLE_QUEUE_CAPACITY`, and so on.
    public static let names: [(name: String, field: WritableKeyPath<Limits, Int> & Sendable, range: ClosedRange<Int>)] =
        [
            ("queueCapacity", \.queueCapacity, 1...1_000_000),
            ("queueBytesMax", \.queueBytesMax, 1_048_576...1_099_511_627_776),
            ("workerCount", \.workerCount, 1...1_000),
            ("batchSizeMax", \.batchSizeMax, 1...10_000),
            ("batchBytesMax", \.batchBytesMax, 1...268_435_456),
            ("retryAttemptsMax", \.retryAttemptsMax, 1...100),
            ("retryBackoffMilliseconds", \.retryBackoffMilliseconds, 1...60_000),
            ("retryBackoffMillisecondsMax", \.retryBackoffMillisecondsMax, 1...600_000),
            ("breakerFailuresMax", \.breakerFailuresMax, 1...1_000),
            ("breakerPauseMilliseconds", \.breakerPauseMilliseconds, 1...60_000),
            ("breakerPauseMillisecondsMax", \.breakerPauseMillisecondsMax, 1...600_000),
            ("connectTimeoutSeconds", \.connectTimeoutSeconds, 1...600),
            ("statementTimeoutMilliseconds", \.statementTimeoutMilliseconds, 100...3_600_000),
            ("lockTimeoutMilliseconds", \.lockTimeoutMilliseconds, 10...3_600_000),
            ("replanRoundsMax", \.replanRoundsMax, 1...10_000),
            ("cachedBalancesMax", \.cachedBalancesMax, 1...100_000_000),
            ("recentTradesMax", \.recentTradesMax, 2...100_000_000),
            ("sweepIntervalMilliseconds", \.sweepIntervalMilliseconds, 10...3_600_000),
            ("deferralMilliseconds", \.deferralMilliseconds, 1...3_600_000),
            ("heartbeatIntervalMilliseconds", \.heartbeatIntervalMilliseconds, 10...3_600_000),
            ("heartbeatTimeoutMilliseconds", \.heartbeatTimeoutMilliseconds, 100...86_400_000),
            ("shutdownTimeoutSeconds", \.shutdownTimeoutSeconds, 0...86_400),
            ("letterRetryIntervalSeconds", \.letterRetryIntervalSeconds, 1...86_400),
            ("letterRetryBatchMax", \.letterRetryBatchMax, 1...10_000),
            ("letterRetryAttemptsMax", \.letterRetryAttemptsMax, 1...100),
            ("letterRetryBackoffSeconds", \.letterRetryBackoffSeconds, 1...86_400),
            ("letterRetryBackoffSecondsMax", \.letterRetryBackoffSecondsMax, 1...2_592_000),
        ]

    /// The connections have no number of their own by default: one for each core.
    public static let connectionCountRange = 1...1_000

    /// The defaults, overridden by `SETTLE_…` variables.
    public init(environment: [String: String]) throws(InvalidLimit) {
        for (name, field, range) in Self.names {
            guard let value = try Self.read(name, range, environment) else { continue }
            self[keyPath: field] = value
        }
        connectionCount = try Self.read("connectionCount", Self.connectionCountRange, environment)
        letterRetryClasses = try Self.classes(environment[Self.variable(of: "letterRetryClasses")] ?? "")
    }

    private static func read(
        _ name: String, _ range: ClosedRange<Int>, _ environment: [String: String]
    ) throws(InvalidLimit) -> Int? {
        let variable = variable(of: name)
        guard let text = environment[variable], !text.isEmpty else { return nil }
        guard let value = Int(text), range.contains(value) else {
            throw InvalidLimit(
                description: "\(variable): expected a whole number from \(range.lowerBound) to \(range.upperBound), "
                    + "found '\(text)'")
        }
        return value
    }

    /// `queue_full,retries_exhausted`: only what may heal by itself.
    private static func classes(_ text: String) throws(InvalidLimit) -> [FailureClass] {
        var classes: [FailureClass] = []
        for word in text.split(whereSeparator: { $0 == "," || $0 == " " }) {
            guard let known = FailureClass.healing.first(where: { $0.rawValue == word }) else {
                throw InvalidLimit(
                    description: "\(variable(of: "letterRetryClasses")): expected some of "
                        + FailureClass.healing.map(\.rawValue).joined(separator: ",") + ", found '\(word)'")
            }
            if !classes.contains(known) { classes.append(known) }
        }
        return classes
    }

    /// `queueCapacity` → `SETTLE_QUEUE_CAPACITY`.
    public static func variable(of name: String) -> String {
        name.reduce(into: "SETTLE_") { variable, character in
            if character.isUppercase { variable += "_" }
            variable += character.uppercased()
        }
    }
}
