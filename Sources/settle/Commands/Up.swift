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
            letters have something to show) and settles them. On a terminal it shows a panel, whose keys pause it, send \
            it bad trades and kill its workers' connections; elsewhere it prints a line a second. On Ctrl-C it drains, \
            verifies the books and says so. Its trades move money of accounts sim-… alone; where there are others, --yes \
            says that simulated trades may stand beside theirs.
            """,
        examples: [
            Example("settle up", "Until Ctrl-C."), Example("settle up --for 10s --rate 2000/s", "For ten seconds."),
        ])

    @Option("--for", help: "Stop after so long.") var time: Duration?
    @Option("--trades", "N", help: "Stop after so many trades.") var trades: Count?
    @Option("--rate", help: "How many trades a second are made.", default: Rate(perSecond: 500)) var rate: Rate
    @Option("--seed", "N", help: "Repeat a run: the same seed makes the same trades.") var seed: UInt64?
    @OptionGroup("Limits") var limits: LimitOptions
    @Option("--log-level", help: "What is logged to stderr.", environment: "SETTLE_LOG_LEVEL", default: .error)
    var logLevel: LogLevel
    @Flag("--yes", "-y", help: "Add simulated trades to a database that is in use.") var yes: Bool

    func run(_ context: Context) async throws {
        let database = try Database(context, isMaker: true)
        defer { database.leave() }
        let connection = try database.connect()
        if try !yes && AccountStore.hasCustomers(notLike: "sim-%", connection) {
            throw CommandFailure(
                "this database holds accounts that are not simulated. 'settle up' moves no money of theirs by itself, "
                    + "but adds simulated accounts and trades to the same books, and settles what waits there. Add "
                    + "--yes if that is meant, or run it in an empty folder without a database named.", exit: .usage)
        }
        let seed = seed ?? UInt64.random(in: 1...999_999)
        try await SimulatedMarket.prepare(connection, DirectWallet(database))
        var flags = limits.flags
        if $logLevel == .commandLine { flags["SETTLE_LOG_LEVEL"] = .init("--log-level", logLevel.rawValue) }
        let beginning = try PanelDatabase.Beginning(connection)
        let meter = SettlementMeter()
        let remarks = RemarkBuffer()
        let showsPanel = context.output.format == .text && TerminalScreen.isPossible(on: context.terminal)
        // On the screen of the panel nobody else may write.
        let log =
            showsPanel && context.terminal.errorIsTerminal
            ? remarks.log(logLevel.level) : Log(level: logLevel.level)
        let service = try SettlementService(
            SettlementService.Configuration(
                connectionString: database.connectionString, limits: limits.applied(to: database.limits),
                version: Settle.version, log: log, render: WireEncoder.encode, onCompletion: meter.record))
        let reload = try ConfigurationReload(context, flags: flags, log: log)
        reload.passesOn(to: service, logLevel: .error)
        async let _ = reload.run(stop: service.stop)
        // The run's name makes its trades new ones, also in a database that has seen the same seed before.
        let run = String(Timestamp.now.microseconds / 1_000, radix: 36)
        let source = SimulatedSource(
            SimulatedMarket(seed: seed, run: run), perSecond: rate.perSecond, tradesMax: trades?.value)
        let poison = PoisonSource()
        context.output.note("settling simulated trades, seed \(seed); Ctrl-C stops")
        remarks.add("\(rate.perSecond.grouped) trades are made a second; ? says what the keys do")
        let signals = StopSignals(
            first: { service.stop() }, second: { Task { await service.abort() } }, last: TerminalScreen.leaveAtOnce)

        let screen = showsPanel ? TerminalScreen(context.terminal, colors: context.output.colors) : nil
        defer { screen?.leave() }
        if showsPanel, screen == nil {
            throw CommandFailure(
                "this terminal cannot be taken over for the panel. Try '\(context.commandPath) | cat'.")
        }
        var panel: LivePanel?
        if let screen {
            let state = PanelState(
                seed: seed, database: database.isEmbedded ? "private PostgreSQL" : connection.address,
                pool: await service.pool.snapshot())
            panel = LivePanel(
                state, on: screen, .matching(context.environment), service: service, meter: meter, source: source,
                poison: poison, database: PanelDatabase(database, worker: service.worker, since: beginning),
                remarks: remarks, run: run, stop: signals.askToStop)
        }
        let leftovers = await withTaskGroup(of: Void.self, returning: [SettlementItem].self) { group in
            group.addTask { [panel] in
                if let panel { await panel.run() } else { await report(meter, service, source, context) }
            }
            group.addTask { await stopWhenDone(service, source) }
            let leftovers = await service.run(sources: [source, poison])
            group.cancelAll()
            return leftovers
        }
        screen?.leave()
        if signals.wasForced {
            throw CommandFailure("stopped at once; \(leftovers.count.counted("trade")) left", exit: .forced)
        }
        signals.letGo()
        context.output.note("verifying the books")
        try await UpSummary(
            totals: meter.totals, left: leftovers.count, lastSettled: meter.lastSettled?.key, database: database
        ).show(database.connect(), context)
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
    private func report(
        _ meter: SettlementMeter, _ service: SettlementService, _ source: SimulatedSource, _ context: Context
    ) async {
        var next = ContinuousClock.now + .seconds(1)
        while (try? await Task.sleep(until: next, clock: .continuous)) != nil {
            next += .seconds(1)
            let second = meter.takeSecond()
            await source.obey(isPaused: service.queueControl.isPaused)
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
}
