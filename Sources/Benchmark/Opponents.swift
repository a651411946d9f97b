import Repository
import ServiceKit

/// The opponents of a benchmark, with their tables in the scratch database.
final class Opponents {
    private let connectionString: String
    private let limits: Limits
    private let seed: UInt64
    private var pgbench: Pgbench?
    private(set) var missing: [(kind: OpponentKind, reason: String)] = []

    private static let warmUp = Duration.milliseconds(500)
    private static let naiveConnectionCount = 10
    private static let functionConnectionCount = 8

    /// Makes what those that are wanted need.
    init(
        _ plan: BenchmarkPlan, _ scratch: ScratchDatabase, _ connection: PostgresConnection, serverMajor: Int,
        _ progress: @Sendable (String, Int, Int?) -> Void
    ) async throws {
        connectionString = scratch.connectionString
        limits = plan.limits
        seed = plan.seed
        try connection.liftStatementTimeout()
        for kind in plan.opponents {
            try Task.checkCancellation()
            progress("preparing \(kind.rawValue)", 0, nil)
            switch kind {
            case .naive, .naiveStriped, .function:
                try OpponentTables.make(kind.rawValue, accountCount: plan.accountCount, on: connection)
            case .copy:
                try OpponentTables.makeCopied(on: connection)
            case .pgbench:
                pgbench = Pgbench(serverMajor: serverMajor, connectionString: connectionString)
                guard let pgbench else {
                    missing.append((kind, "no pgbench of PostgreSQL \(serverMajor) was found on this machine"))
                    continue
                }
                try await pgbench.prepare(scale: plan.pgbenchScale)
            }
        }
    }

    /// How many trades, or transactions of its own, an opponent does in a second.
    func perSecond(_ kind: OpponentKind, shape: LoadShape, seconds: Double, round: Int) async throws -> Double {
        let run = "\(round)-\(shape.skew)".filter { $0.isLetter || $0.isNumber }
        let generator = LoadGenerator(shape, seed: seed &+ UInt64(round))
        let window = Duration.milliseconds(Int(seconds * 1_000))
        let (connectionString, limits) = (connectionString, limits)
        switch kind {
        case .pgbench:
            return try await pgbench!.perSecond(seconds: max(1, Int(seconds.rounded())))
        case .copy:
            return try await OpponentRun(workerCount: processorCount, warmUp: Self.warmUp, window: window).perSecond {
                CopyWorker(
                    try PostgresConnection(connectionString, limits: limits), generator: generator, run: run, number: $0
                )
            }
        case .naive, .naiveStriped, .function:
            let count = kind == .function ? Self.functionConnectionCount : Self.naiveConnectionCount
            return try await OpponentRun(workerCount: count, warmUp: Self.warmUp, window: window).perSecond { number in
                SingleTradeWorker(
                    try PostgresConnection(connectionString, limits: limits), tables: kind.rawValue,
                    callsFunction: kind == .function, generator: generator, run: run, first: number, stride: count,
                    house: kind == .naive ? 1 : 1 + number)
            }
        }
    }
}
