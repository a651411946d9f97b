import CommandKit
import ServiceKit

/// The limits of a worker that are worth a flag; all of them have an environment variable.
struct LimitOptions: ParameterGroup {
    @Option(
        "--concurrency", "N",
        help: "How many batches may be in work at once. \(Self.facts("\(Limits().workerCount)", "workerCount"))")
    var concurrency: Int?
    @Option(
        "--connections", "N",
        help: "How many connections settle. \(Self.facts("one for each core", "connectionCount"))")
    var connections: Int?
    @Option(
        "--queue-size", "N",
        help: "How many trades wait in memory at most. \(Self.facts("\(Limits().queueCapacity)", "queueCapacity"))")
    var queueSize: Int?
    @Option(
        "--batch", "N",
        help: "How many trades one transaction takes at most. \(Self.facts("\(Limits().batchSizeMax)", "batchSizeMax"))"
    )
    var batch: Int?
    @Option(
        "--shutdown-timeout", "TIME",
        help: "How long a stop may take to drain. "
            + Self.facts("\(Limits().shutdownTimeoutSeconds)s", "shutdownTimeoutSeconds"))
    var shutdownTimeout: Duration?

    /// As help shows a default and a variable. Neither is declared: `Limits` reads the variables, all at once.
    private static func facts(_ value: String, _ limit: String) -> String {
        "(default: \(value); environment: \(Limits.variable(of: limit)))"
    }

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
