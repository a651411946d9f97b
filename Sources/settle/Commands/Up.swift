import CommandKit
import Configuration
import Repository
import ServiceKit
import SettlementWorkers
import TradeFeed
import TradeModel

struct Up: Command {
    static let info = CommandInfo(
        "up", summary: "Run everything on this machine with a simulated market, until Ctrl-C.",
        discussion: """
            It keeps a private PostgreSQL in .settle/, makes trades (some of them cannot be paid, so that the dead \
            letters have something to show), settles them, and prints a line a second. On Ctrl-C it drains, verifies the \
            books and says so. With a database of yours, --yes is needed once it holds accounts that are not simulated.
            """,
        examples: [
            Example("settle up", "Until Ctrl-C."), Example("settle up --for 10s --rate 2000/s", "For ten seconds."),
        ])

    @Option("--for", "TIME", help: "Stop after so long.") var time: Duration?
    @Option("--trades", "N", help: "Stop after so many trades.") var trades: Count?
    @Option("--rate", help: "How many trades a second are made.", default: Rate(perSecond: 500)) var rate: Rate
    @Option("--seed", "N", help: "Repeat a run: the same seed makes the same trades.") var seed: UInt64?
    @OptionGroup("Limits") var limits: LimitOptions
    @Option("--log-level", help: "What is logged to stderr.", environment: "SETTLE_LOG_LEVEL", default: .error)
    var logLevel: LogLevel
    @Flag("--yes", "-y", help: "Add simulated trades to a database that is in use.") var yes: Bool

    func run(_ context: Context) async throws {
        let database = try Database(context)
        defer { database.leave() }
        let connection = try database.connect()
        if try !yes && !database.isEmbedded && AccountStore.hasCustomers(notLike: "sim-%", connection) {
            throw CommandFailure(
                "this database is in use, and 'settle up' makes simulated trades in it. Add --yes if that is meant.",
                exit: .usage)
        }
        let seed = seed ?? UInt64.random(in: 1...999_999)
        try await SimulatedMarket.prepare(connection, DirectWallet(database))
        let log = Log(level: logLevel.level)
        var flags = limits.flags
        if $logLevel == .commandLine { flags["SETTLE_LOG_LEVEL"] = .init("--log-level", logLevel.rawValue) }
        let reload = try ConfigurationReload(context, flags: flags, log: log)
        let meter = Meter()
        let service = try SettlementService(
            SettlementService.Configuration(
                connectionString: database.connectionString, limits: limits.applied(to: database.limits),
                version: Settle.version, log: log, render: WireEncoder.encode,
                onCompletion: meter.record))
        reload.passesOn(to: service, logLevel: .error)
        async let _ = reload.run(stop: service.stop)
        // The run's name makes its trades new ones, also in a database that has seen the same seed before.
        let run = String(Timestamp.now.microseconds / 1_000, radix: 36)
        let source = SimulatedSource(
            SimulatedMarket(seed: seed, run: run), perSecond: rate.perSecond, tradesMax: trades?.value)
        context.output.note("settling simulated trades, seed \(seed); Ctrl-C stops")
        let signals = StopSignals(first: { service.stop() }, second: { Task { await service.abort() } })

        let leftovers = await withTaskGroup(of: Void.self, returning: [SettlementItem].self) { group in
            group.addTask { await report(meter, service, context) }
            group.addTask { await stopWhenDone(service, source) }
            let leftovers = await service.run(sources: [source])
            group.cancelAll()
            return leftovers
        }
        if signals.wasForced { throw CommandFailure("stopped at once; \(leftovers.count) trades left", exit: .forced) }
        signals.letGo()
        context.output.note("verifying the books")
        try finish(connection, meter, leftovers.count, context)
    }

    private func stopWhenDone(_ service: SettlementService, _ source: SimulatedSource) async {
        let start = ContinuousClock.now
        while !Task.isCancelled {
            let isOver = time.map { ContinuousClock.now - start >= $0 } ?? false
            if await source.isExhausted || isOver {
                service.stop()
                return
            }
            try? await Task.sleep(for: .milliseconds(20))
        }
    }

    /// A line a second, until cancelled.
    private func report(_ meter: Meter, _ service: SettlementService, _ context: Context) async {
        var next = ContinuousClock.now + .seconds(1)
        while (try? await Task.sleep(until: next, clock: .continuous)) != nil {
            next += .seconds(1)
            let second = meter.takeSecond()
            let snapshot = await service.pool.snapshot()
            let breaker = await service.wallets.isAvailable ? "closed" : "open"
            do {
                try context.output.show([
                    "settled": .integer(second.settledInAll), "rate": .integer(second.settled),
                    "p50_ms": .string(second.p50), "p99_ms": .string(second.p99),
                    "queue": .integer(snapshot.queueDepth), "retries": .integer(snapshot.counters.retries),
                    "breaker": .string(breaker), "dead_letters": .integer(second.parkedInAll),
                    "paused": .bool(service.queueControl.isPaused),
                ]) {
                    try context.output.line(
                        "settled \(second.settledInAll.grouped)  rate \(second.settled.grouped)/s  "
                            + "p50 \(second.p50) ms  p99 \(second.p99) ms  queue \(snapshot.queueDepth)  "
                            + "retries \(snapshot.counters.retries)  dead letters \(second.parkedInAll.grouped)"
                            + (breaker == "open" ? "  database away" : "")
                            + (service.queueControl.isPaused ? "  paused" : ""))
                }
                try context.output.flush()
            } catch {
                service.stop()
                return
            }
        }
    }

    private func finish(_ connection: PostgresConnection, _ meter: Meter, _ left: Int, _ context: Context) throws {
        let totals = meter.totals
        let report = try Verification.run(on: connection)
        let open = DeadLetterStore.decodeCounts(try connection.pipeline([DeadLetterStore.openCounts])[0])
            .reduce(0) { $0 + $1.count }
        try context.output.show([
            "settled": .integer(totals.settled), "parked": .integer(totals.parked), "left": .integer(left),
            "open_dead_letters": .count(open), "verify": report.json,
        ]) {
            try context.output.line(
                "settled \(totals.settled.grouped) trades, parked \(totals.parked.grouped), left \(left)")
            try context.output.line(report.summary)
            guard open > 0 else { return }
            // As it was called: `make run` puts nothing on the path.
            let program = CommandLine.arguments[0]
            try context.output.line("")
            try context.output.line("\(open.grouped) dead letters are open. Try next:")
            try context.output.line("  \(program) dlq list")
            try context.output.line(
                "  \(program) deposit \(SimulatedMarket.poorAccount) 1000000 USDT --id rescue-\(open)")
            try context.output.line("  \(program) dlq retry --all --yes")
        }
        try context.output.flush()
        guard report.isClean else { throw CommandFailure("the books do not balance", exit: .mismatch) }
        if left > 0 { throw CommandFailure("\(left) trades were not settled before the deadline") }
    }
}

/// Counts what was settled, and how fast.
private final class Meter: Sendable {
    struct Second {
        var settledInAll: Int
        var settled: Int
        var parkedInAll: Int
        var p50: String
        var p99: String
    }

    private struct State: Sendable {
        var settled = 0
        var parked = 0
        var settledThisSecond = 0
        var latencies = LatencyHistogram()
    }

    private let state = Guarded(State())

    @Sendable func record(_ completions: [Completion]) {
        state.withLock { state in
            for completion in completions {
                switch completion.outcome {
                case .settled:
                    state.settled += 1
                    state.settledThisSecond += 1
                    state.latencies.record(completion.elapsed)
                case .rejected: state.parked += 1
                case .duplicate, .deferred: break
                }
            }
        }
    }

    var totals: (settled: Int, parked: Int) { state.withLock { ($0.settled, $0.parked) } }

    func takeSecond() -> Second {
        state.withLock { state in
            let second = Second(
                settledInAll: state.settled, settled: state.settledThisSecond, parkedInAll: state.parked,
                p50: state.latencies.quantile(perMille: 500).map(\.milliseconds) ?? "-",
                p99: state.latencies.quantile(perMille: 990).map(\.milliseconds) ?? "-")
            state.settledThisSecond = 0
            state.latencies = LatencyHistogram()
            return second
        }
    }
}
