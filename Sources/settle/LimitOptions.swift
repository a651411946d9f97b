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
        for (name, value) in [
            ("--concurrency", concurrency), ("--connections", connections), ("--queue-size", queueSize),
            ("--batch", batch),
        ] {
            if let value, !(1...1_000_000).contains(value) {
                throw UsageError("'\(name)' is a whole number from 1 to 1000000, not \(value)")
            }
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
            limits.shutdownTimeoutSeconds = Int(shutdownTimeout.components.seconds)
        }
        return limits
    }
}

enum LogLevel: String, ArgumentValue, CaseIterable {
    case debug, info, warning, error

    var level: Log.Level { Log.Level(rawValue: rawValue)! }
}
