import CommandKit
import Configuration
import ServiceKit

/// The limits of a worker that are worth a flag; all of them are settings.
struct LimitOptions: ParameterGroup {
    @Option("--concurrency", "N", help: "How many batches may be in work at once. \(Self.facts("worker.count"))")
    var concurrency: Int?
    @Option("--connections", "N", help: "How many connections settle. \(Self.facts("worker.connection_count"))")
    var connections: Int?
    @Option("--queue-size", "N", help: "How many trades wait in memory at most. \(Self.facts("queue.capacity"))")
    var queueSize: Int?
    @Option("--batch", "N", help: "How many trades one transaction takes at most. \(Self.facts("batch.size_max"))")
    var batch: Int?
    @Option(
        "--shutdown-timeout",
        help: "How long a stop may take to drain. \(Self.facts("shutdown.timeout_seconds", unit: "s"))")
    var shutdownTimeout: Duration?

    /// As help shows a default and a variable. Neither is declared: `Limits` reads the variables, all at once.
    private static func facts(_ key: String, unit: String = "") -> String {
        let setting = Limits.setting(key).setting
        return "(default: \(setting.defaultRemark)\(unit); environment: \(setting.variable))"
    }

    /// The flags that hold whole numbers, with the keys of their settings.
    private var numbers: [(flag: String, key: String, value: Int?)] {
        [
            ("--concurrency", "worker.count", concurrency), ("--connections", "worker.connection_count", connections),
            ("--queue-size", "queue.capacity", queueSize), ("--batch", "batch.size_max", batch),
        ]
    }

    /// In whole seconds, rounded up.
    private var shutdownTimeoutSeconds: Int? {
        shutdownTimeout.map { Int($0.components.seconds) + ($0.components.attoseconds > 0 ? 1 : 0) }
    }

    func validate() throws {
        for (flag, key, value) in numbers {
            let setting = Limits.setting(key).setting
            if let value, !setting.accepts("\(value)") {
                throw UsageError("'\(flag)' is \(setting.expectation), not \(value)")
            }
        }
        if let shutdownTimeout, shutdownTimeout > .seconds(86_400) {
            throw UsageError("'--shutdown-timeout' is at most 24h, not \(shutdownTimeout.argumentText)")
        }
    }

    /// What was given, by the variable of the setting.
    var flags: [String: SettingValues.FlagValue] {
        var flags: [String: SettingValues.FlagValue] = [:]
        let seconds = ("--shutdown-timeout", "shutdown.timeout_seconds", shutdownTimeoutSeconds)
        for (flag, key, value) in numbers + [seconds] {
            if let value { flags[Limits.setting(key).setting.variable] = .init(flag, "\(value)") }
        }
        return flags
    }

    /// The configured limits with the flags over them.
    func applied(to limits: Limits) -> Limits {
        var limits = limits
        limits.workerCount = concurrency ?? limits.workerCount
        limits.connectionCount = connections ?? limits.connectionCount
        limits.queueCapacity = queueSize ?? limits.queueCapacity
        limits.batchSizeMax = batch ?? limits.batchSizeMax
        limits.shutdownTimeoutSeconds = shutdownTimeoutSeconds ?? limits.shutdownTimeoutSeconds
        return limits
    }
}
