import TradeModel

/// A limit whose environment variable does not hold what it should.
public struct InvalidLimit: Error, CustomStringConvertible {
    public let description: String
}

/// A limit as a setting.
public struct LimitSetting: Sendable {
    public let setting: Setting
    /// What holds, as the setting writes it; nil in a limit that has no value of its own by default.
    public let text: @Sendable (Limits) -> String?
    /// Takes over what the setting accepts; nil brings back the default.
    let set: @Sendable (inout Limits, String?) -> Void

    init(
        _ key: String, _ field: WritableKeyPath<Limits, Int> & Sendable, _ range: ClosedRange<Int>,
        variable: String? = nil, reloadable: Bool = false, _ summary: String
    ) {
        setting = Setting(
            key, variable: variable, .number(range), default: "\(Limits()[keyPath: field])", reloadable: reloadable,
            summary)
        text = { "\($0[keyPath: field])" }
        set = { limits, text in limits[keyPath: field] = text.flatMap { Int($0) } ?? Limits()[keyPath: field] }
    }

    /// A limit that is worked out unless it is set; `otherwise` says from what.
    init(
        _ key: String, _ field: WritableKeyPath<Limits, Int?> & Sendable, _ range: ClosedRange<Int>, otherwise: String,
        variable: String? = nil, reloadable: Bool = false, _ summary: String
    ) {
        setting = Setting(
            key, variable: variable, .number(range), default: nil, remark: otherwise, reloadable: reloadable, summary)
        text = { $0[keyPath: field].map { "\($0)" } }
        set = { limits, text in limits[keyPath: field] = text.flatMap { Int($0) } }
    }

    /// Which of some classes of dead letters; none by default.
    init(
        _ key: String, _ field: WritableKeyPath<Limits, [FailureClass]> & Sendable, of classes: [FailureClass],
        reloadable: Bool = false, _ summary: String
    ) {
        setting = Setting(
            key, .choices(classes.map(\.rawValue)), default: nil, reloadable: reloadable, summary)
        text = { limits in
            let chosen = limits[keyPath: field]
            return chosen.isEmpty ? nil : chosen.map(\.rawValue).joined(separator: ",")
        }
        set = { limits, text in
            let words = text.map(Setting.parts) ?? []
            limits[keyPath: field] = classes.filter { words.contains($0.rawValue) }
        }
    }
}

extension Limits {
    /// Every limit with its key in the configuration file, the values that make sense, and what it is for. The
    /// variable is `SETTLE_` and the key in capitals, where no other is named. A new limit is a property and a row
    /// here.
    public static let settings: [LimitSetting] = [
        LimitSetting(
            "queue.capacity", \.queueCapacity, 1...1_000_000, "How many trades wait in memory before the reader has to."
        ),
        LimitSetting(
            "queue.bytes_max", \.queueBytesMax, 1_048_576...1_099_511_627_776,
            "How many bytes of received messages wait in memory before the reader has to."),
        LimitSetting("worker.count", \.workerCount, 1...1_000, "How many batches may be in work at once."),
        LimitSetting(
            "worker.connection_count", \.connectionCount, 1...1_000, otherwise: "one for each core",
            variable: "SETTLE_CONNECTION_COUNT", "How many connections settle, never more than batches in work."),
        LimitSetting(
            "batch.size_max", \.batchSizeMax, 1...10_000, "How many trades one transaction takes at most."),
        LimitSetting(
            "batch.bytes_max", \.batchBytesMax, 1...268_435_456,
            "How many bytes of received messages one transaction takes at most; PostgreSQL takes no gigabyte at once."),
        LimitSetting(
            "batch.replan_rounds_max", \.replanRoundsMax, 1...10_000, variable: "SETTLE_REPLAN_ROUNDS_MAX",
            "How often a batch is planned anew in one attempt because others moved the money it counted on."),
        LimitSetting(
            "retry.attempts_max", \.retryAttemptsMax, 1...100, reloadable: true,
            "How often a trade that fails by itself is tried before it becomes a dead letter."),
        LimitSetting(
            "retry.backoff_milliseconds", \.retryBackoffMilliseconds, 1...60_000, reloadable: true,
            "How long the first pause before another attempt is; each further one is twice as long."),
        LimitSetting(
            "retry.backoff_milliseconds_max", \.retryBackoffMillisecondsMax, 1...600_000, reloadable: true,
            "How long a pause before another attempt is at most."),
        LimitSetting(
            "breaker.failures_max", \.breakerFailuresMax, 1...1_000, reloadable: true,
            "So many failures in a row to reach the database open the circuit breaker."),
        LimitSetting(
            "breaker.pause_milliseconds", \.breakerPauseMilliseconds, 1...60_000, reloadable: true,
            "How long an open breaker waits before the database is asked again; each further time twice as long."),
        LimitSetting(
            "breaker.pause_milliseconds_max", \.breakerPauseMillisecondsMax, 1...600_000, reloadable: true,
            "How long an open breaker waits at most."),
        LimitSetting(
            "timeouts.connect_seconds", \.connectTimeoutSeconds, 1...600, variable: "SETTLE_CONNECT_TIMEOUT_SECONDS",
            "How long a connection to PostgreSQL may take to come about."),
        LimitSetting(
            "timeouts.statement_milliseconds", \.statementTimeoutMilliseconds, 100...3_600_000,
            variable: "SETTLE_STATEMENT_TIMEOUT_MILLISECONDS", "How long PostgreSQL may work on one statement."),
        LimitSetting(
            "timeouts.lock_milliseconds", \.lockTimeoutMilliseconds, 10...3_600_000,
            variable: "SETTLE_LOCK_TIMEOUT_MILLISECONDS", "How long a statement may wait for a lock."),
        LimitSetting(
            "cache.balances_max", \.cachedBalancesMax, 1...100_000_000, variable: "SETTLE_CACHED_BALANCES_MAX",
            "How many balances, and how many accounts, a process remembers, at some 100 bytes each."
        ),
        LimitSetting(
            "cache.recent_trades_max", \.recentTradesMax, 2...100_000_000, variable: "SETTLE_RECENT_TRADES_MAX",
            "How many ids of recent trades a connection remembers, rounded up to a power of two."),
        LimitSetting(
            "sweep.interval_milliseconds", \.sweepIntervalMilliseconds, 10...3_600_000, reloadable: true,
            "How often PENDING rows are looked for when no notification comes."),
        LimitSetting(
            "sweep.deferral_milliseconds", \.deferralMilliseconds, 1...3_600_000,
            variable: "SETTLE_DEFERRAL_MILLISECONDS",
            "How long a trade that waits for an older one is left alone at first; a quarter of its age later on."),
        LimitSetting(
            "sweep.deferral_milliseconds_max", \.deferralMillisecondsMax, 1...3_600_000,
            variable: "SETTLE_DEFERRAL_MILLISECONDS_MAX",
            "How long a trade that waits for an older one is left alone at most."),
        LimitSetting(
            "heartbeat.interval_milliseconds", \.heartbeatIntervalMilliseconds, 10...3_600_000, reloadable: true,
            "How often a worker says that it is alive."),
        LimitSetting(
            "heartbeat.timeout_milliseconds", \.heartbeatTimeoutMilliseconds, 100...86_400_000,
            "A worker that was silent for so long is dead, and what it claimed is free."),
        LimitSetting(
            "shutdown.timeout_seconds", \.shutdownTimeoutSeconds, 0...86_400, reloadable: true,
            "How long a stop may take to settle what was taken in."),
        LimitSetting(
            "letter_retry.classes", \.letterRetryClasses, of: FailureClass.healing, reloadable: true,
            "Which dead letters are retried without an operator, by their class."),
        LimitSetting(
            "letter_retry.interval_seconds", \.letterRetryIntervalSeconds, 1...86_400, reloadable: true,
            "How often dead letters whose time has come are looked for, by one worker of all."),
        LimitSetting(
            "letter_retry.batch_max", \.letterRetryBatchMax, 1...10_000, reloadable: true,
            "How many dead letters are retried at a time."),
        LimitSetting(
            "letter_retry.attempts_max", \.letterRetryAttemptsMax, 1...100, reloadable: true,
            "How often one dead letter is retried without an operator."),
        LimitSetting(
            "letter_retry.backoff_seconds", \.letterRetryBackoffSeconds, 1...86_400, reloadable: true,
            "How long a dead letter is left alone after the first such retry; twice as long after each further one."),
        LimitSetting(
            "letter_retry.backoff_seconds_max", \.letterRetryBackoffSecondsMax, 1...2_592_000, reloadable: true,
            "How long a dead letter is left alone after such a retry at most."),
        LimitSetting(
            "verify.interval_seconds", \.verifyIntervalSeconds, 0...86_400, reloadable: true,
            "How often one worker of all verifies what was committed since; 0 for never."),
    ]

    /// The setting of a key that is known to exist.
    public static func setting(_ key: String) -> LimitSetting {
        guard let setting = settings.first(where: { $0.setting.key == key }) else {
            preconditionFailure("no limit is called \(key)")
        }
        return setting
    }

    /// The defaults, overridden by `SETTLE_…` variables. An empty one counts as not set.
    public init(environment: [String: String]) throws(InvalidLimit) {
        for limit in Self.settings {
            let setting = limit.setting
            guard let text = environment[setting.variable], !text.isEmpty else { continue }
            guard setting.accepts(text) else {
                throw InvalidLimit(
                    description: "\(setting.variable): expected \(setting.expectation), found '\(text)'")
            }
            limit.set(&self, text)
        }
    }

    /// These limits, with those of another set that a running process can take over.
    public func reloaded(from other: Limits) -> Limits {
        var limits = self
        for limit in Self.settings where limit.setting.isReloadable { limit.set(&limits, limit.text(other)) }
        return limits
    }
}
