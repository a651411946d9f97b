import CommandKit
import ServiceKit

/// The limits of a worker that are worth a flag; all of them have an environment variable.
struct LimitOptions: ParameterGroup {
    @Option("--concurrency", "N", help: "How many batches may be in work at once. [SETTLE_WORKER_COUNT]")
    var concurrency: Int?
    @Option("--connections", "N", help: "How many connections settle; one for each core. [SETTLE_CONNECTION_COUNT]")
    var connections: Int?
    @Option("--queue-size", "N", help: "How many trades wait in memory. [SETTLE_QUEUE_CAPACITY]")
    var queueSize: Int?
    @Option("--batch", "N", help: "How many trades one transaction takes at most. [SETTLE_BATCH_SIZE_MAX]")
    var batch: Int?
    @Option(
        "--shutdown-timeout", "TIME", help: "How long a stop may take to drain. [SETTLE_SHUTDOWN_TIMEOUT_SECONDS]")
    var shutdownTimeout: Duration?

    func validate() throws {
        for (flag, limit, value) in [
            ("--concurrency", "workerCount", concurrency), ("--connections", "connectionCount", connections),
            ("--queue-size", "queueCapacity", queueSize), ("--batch", "batchSizeMax", batch),
        ] {
            let range = Limits.names.first { $0.name == limit }?.range ?? Limits.connectionCountRange
            if let value, !range.contains(value) {
                throw UsageError(
                    "'\(flag)' is a whole number from \(range.lowerBound) to \(range.upperBound), not \(value)")
            }
        }
        if let shutdownTimeout, shutdownTimeout > .seconds(86_400) {
            throw UsageError("'--shutdown-timeout' is at most 24h, not \(shutdownTimeout.argumentText)")
        }
    }

    /// The environment's limits with the flags over them.
    func applied(to limits: Limits) -> Limits {
        var limits = limits
        limits.workerCount = concurrency ?? limits.workerCount
        limits.connectionCount = connections ?? limits.connectionCount
        limits.queueCapacity = queueSize ?? limits.queueCapacity
        limits.batchSizeMax = batch ?? limits.batchSizeMax
        if let shutdownTimeout {
            let (seconds, attoseconds) = shutdownTimeout.components
            limits.shutdownTimeoutSeconds = Int(seconds) + (attoseconds > 0 ? 1 : 0)
        }
        return limits
    }
}

enum LogLevel: String, ArgumentValue, CaseIterable {
    case debug, info, warning, error

    var level: Log.Level { Log.Level(rawValue: rawValue)! }
}
