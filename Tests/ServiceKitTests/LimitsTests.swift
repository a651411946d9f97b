import Testing

@testable import ServiceKit

@Suite struct LimitsTests {
    /// A value that is not the default.
    private func sample(_ setting: Setting) -> String {
        switch setting.kind {
        case .number(let range): "\(range.upperBound)"
        case .choices(let words): words.joined(separator: ",")
        case .choice, .text: "unexpected"
        }
    }

    @Test func `every limit is a setting with an environment variable`() throws {
        #expect(Limits.settings.count == Mirror(reflecting: Limits()).children.count)
        for limit in Limits.settings {
            let setting = limit.setting
            let limits = try Limits(environment: [setting.variable: sample(setting)])
            #expect(limit.text(limits) == sample(setting), "\(setting.key)")
            #expect(limits != Limits(), "\(setting.key)")
            #expect(limit.text(Limits()).map(setting.accepts) ?? true, "the default of \(setting.key)")
            #expect(limit.text(Limits()) == setting.defaultValue, "\(setting.key)")
        }
        #expect(try Limits(environment: ["SETTLE_CONNECTION_COUNT": "3"]).connectionCount == 3)
        #expect(try Limits(environment: [:]) == Limits())
    }

    @Test func `the variables have the names that they always had`() {
        #expect(
            Limits.settings.map(\.setting.variable).sorted() == [
                "SETTLE_BATCH_BYTES_MAX", "SETTLE_BATCH_SIZE_MAX", "SETTLE_BREAKER_FAILURES_MAX",
                "SETTLE_BREAKER_PAUSE_MILLISECONDS", "SETTLE_BREAKER_PAUSE_MILLISECONDS_MAX",
                "SETTLE_CACHED_BALANCES_MAX", "SETTLE_CONNECTION_COUNT", "SETTLE_CONNECT_TIMEOUT_SECONDS",
                "SETTLE_DEFERRAL_MILLISECONDS", "SETTLE_DEFERRAL_MILLISECONDS_MAX",
                "SETTLE_HEARTBEAT_INTERVAL_MILLISECONDS", "SETTLE_HEARTBEAT_TIMEOUT_MILLISECONDS",
                "SETTLE_LETTER_RETRY_ATTEMPTS_MAX", "SETTLE_LETTER_RETRY_BACKOFF_SECONDS",
                "SETTLE_LETTER_RETRY_BACKOFF_SECONDS_MAX", "SETTLE_LETTER_RETRY_BATCH_MAX",
                "SETTLE_LETTER_RETRY_CLASSES", "SETTLE_LETTER_RETRY_INTERVAL_SECONDS",
                "SETTLE_LOCK_TIMEOUT_MILLISECONDS",
                "SETTLE_QUEUE_BYTES_MAX", "SETTLE_QUEUE_CAPACITY", "SETTLE_RECENT_TRADES_MAX",
                "SETTLE_REPLAN_ROUNDS_MAX", "SETTLE_RETRY_ATTEMPTS_MAX", "SETTLE_RETRY_BACKOFF_MILLISECONDS",
                "SETTLE_RETRY_BACKOFF_MILLISECONDS_MAX", "SETTLE_SHUTDOWN_TIMEOUT_SECONDS",
                "SETTLE_STATEMENT_TIMEOUT_MILLISECONDS", "SETTLE_SWEEP_INTERVAL_MILLISECONDS",
                "SETTLE_VERIFY_INTERVAL_SECONDS", "SETTLE_WORKER_COUNT",
            ])
    }

    @Test(arguments: ["abc", "0", "-1", "1.5", "99999999999999999999", " 1"])
    func `a value that makes no sense is refused by name`(text: String) {
        let error = #expect(throws: InvalidLimit.self) {
            try Limits(environment: ["SETTLE_QUEUE_CAPACITY": text])
        }
        #expect(
            error?.description.hasPrefix("SETTLE_QUEUE_CAPACITY: expected a whole number from 1 to 1000000") == true)
    }

    @Test func `a running process takes over what is declared as reloadable, and nothing else`() {
        var other = Limits()
        for limit in Limits.settings { limit.set(&other, sample(limit.setting)) }
        let live = LiveLimits(Limits())
        live.reload(other)
        for limit in Limits.settings {
            let expected = limit.setting.isReloadable ? sample(limit.setting) : limit.text(Limits())
            #expect(limit.text(live.current) == expected, "\(limit.setting.key)")
        }
        #expect(live.retryAttemptsMax == 100)
        #expect(live.queueCapacity == Limits().queueCapacity)
    }

    @Test func `only what may heal is retried by itself, and nothing unless it is named`() throws {
        let name = "SETTLE_LETTER_RETRY_CLASSES"
        #expect(try Limits(environment: [:]).letterRetryClasses == [])
        #expect(try Limits(environment: [name: ""]).letterRetryClasses == [])
        #expect(
            try Limits(environment: [name: "retries_exhausted, queue_full,queue_full"]).letterRetryClasses
                == [.queueFull, .retriesExhausted])
        #expect(try Limits(environment: [name: "insufficient_funds"]).letterRetryClasses == [.insufficientFunds])
        for text in ["conflict", "all", "queue-full"] {
            let error = #expect(throws: InvalidLimit.self) { try Limits(environment: [name: text]) }
            #expect(
                error?.description
                    == "\(name): expected any of queue_full, retries_exhausted, insufficient_funds, found '\(text)'")
        }
    }
}
