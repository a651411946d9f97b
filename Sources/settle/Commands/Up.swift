import CommandKit
import Configuration
import EngineHost
import Repository
import ServiceKit
import SettlementWorkers
import TradeFeed
import TradeModel

struct Up: Command {
    static let info = CommandInfo(
        "up", summary: "Run everything on this machine with a simulated market, until Ctrl-C.",
        discussion: """
            It keeps a private PostgreSQL in .settle/ and a matching engine beside it, gives the engine orders on \
            three markets, and settles what comes of them. Some trades come from elsewhere and cannot be paid, so that \
            the dead letters have something to show. On a terminal it shows a panel, whose keys pause it, send it bad \
            trades and kill its workers' connections; elsewhere it prints a line a second. On Ctrl-C it drains, \
            verifies the books, compares them with the engine and says so. Where the engine takes orders is said at \
            the start: 'settle order' and 'settle book' work beside it. Its trades move money of accounts sim-… alone; \
            where there are others, --yes says that simulated trades may stand beside theirs.
            """,
        examples: [
            Example("settle up", "Until Ctrl-C."), Example("settle up --for 10s --rate 2000/s", "For ten seconds."),
        ])

    @Option("--for", help: "Stop after so long.") var time: Duration?
    @Option("--trades", "N", help: "Stop when the engine has made so many trades.") var trades: Count?
    @Option("--rate", help: "How many trades a second the engine is to make.", default: Rate(perSecond: 500)) var rate:
        Rate
    @Option("--seed", "N", help: "Repeat a run: the same seed gives the same orders.") var seed: UInt64?
    @OptionGroup("Limits") var limits: LimitOptions
    @Option("--log-level", help: "What is logged to stderr.", environment: "SETTLE_LOG_LEVEL", default: .error)
    var logLevel: LogLevel
    @Flag("--yes", "-y", help: "Add simulated trades to a database that is in use.") var yes: Bool

    func run(_ context: Context) async throws {
        let database = try Database(context, isMaker: true)
        defer { database.leave() }
        let connection = try database.connect()
        let isAmongOthers = try AccountStore.hasCustomers(notLike: "sim-%", connection)
        if isAmongOthers, !yes {
            throw CommandFailure(
                "this database holds accounts that are not simulated. 'settle up' moves no money of theirs by itself, "
                    + "but adds simulated accounts and trades to the same books, and settles what waits there. Add "
                    + "--yes if that is meant, or run it in an empty folder without a database named.", exit: .usage)
        }
        let seed = seed ?? UInt64.random(in: 1...999_999)
        let remarks = RemarkBuffer()
        let showsPanel = context.output.format == .text && TerminalScreen.isPossible(on: context.terminal)
        // On the screen of the panel nobody else may write.
        let log =
            showsPanel && context.terminal.errorIsTerminal
            ? remarks.log(logLevel.level) : Log(level: logLevel.level)
        // The run's name makes its orders new ones, also for an engine that has seen the same seed before.
        let run = String(Timestamp.now.microseconds / 1_000, radix: 36)
        let home = try EngineHome(database, connection, run: run)
        try await SimulatedAccounts.prepare(amongOthers: isAmongOthers, connection, DirectWallet(database))
        let mark = try SimulatedAccounts.mark(for: home, connection)
        let beginning = try PanelDatabase.Beginning(connection)

        let engine = try engine(at: home, log: log)
        let engineMeter = EngineMeter()
        let trading = try SimulatedTrading(
            engine.entryEndpoint, seed: seed, run: run, perSecond: rate.perSecond, tradesMax: trades?.value,
            meter: engineMeter, log: log)
        let meter = SettlementMeter()
        var configuration = SettlementService.Configuration(
            connectionString: database.connectionString, limits: limits.applied(to: database.limits),
            version: Settle.version, log: log, render: WireEncoder.encode, onCompletion: meter.record)
        configuration.feed = MeteredFeed(
            feed: EngineFeed(endpoint: engine.feedEndpoint, stream: home.stream, log: log), meter: engineMeter)
        let service = try SettlementService(configuration)
        let failure = Guarded<String?>(nil)
        let fail = { @Sendable (reason: String) in
            failure.withLock { $0 = $0 ?? reason }
            trading.stop()
            service.stop()
        }
        async let engineEnd: Void = {
            do { try await engine.run() } catch { fail("the engine stopped: \(error)") }
        }()
        var flags = limits.flags
        if $logLevel == .commandLine { flags["SETTLE_LOG_LEVEL"] = .init("--log-level", logLevel.rawValue) }
        let reload = try ConfigurationReload(context, flags: flags, log: log)
        reload.passesOn(to: service, logLevel: .error)
        async let _ = reload.run(stop: trading.stop)

        context.output.note(
            "settling simulated trades, seed \(seed); orders are taken at \(engine.entryEndpoint); Ctrl-C stops")
        remarks.add("\(rate.perSecond.grouped) trades are made a second; ? says what the keys do")
        remarks.add("orders are taken at \(engine.entryEndpoint)")
        let signals = StopSignals(
            first: trading.stop,
            second: {
                trading.stop()
                Task { await service.abort() }
            }, last: TerminalScreen.leaveAtOnce)
        let screen = showsPanel ? TerminalScreen(context.terminal, colors: context.output.colors) : nil
        defer { screen?.leave() }
        if showsPanel, screen == nil {
            throw CommandFailure(
                "this terminal cannot be taken over for the panel. Try '\(context.commandPath) | cat'.")
        }
        let poison = PoisonSource()
        var panel: LivePanel?
        if let screen {
            let state = PanelState(
                seed: seed, orders: engine.entryEndpoint,
                database: database.isEmbedded ? "private PostgreSQL" : connection.address,
                pool: await service.pool.snapshot())
            panel = LivePanel(
                state, on: screen, .matching(context.environment), service: service, meter: meter, trading: trading,
                engineMeter: engineMeter, poison: poison,
                database: PanelDatabase(database, worker: service.worker, since: beginning), remarks: remarks,
                run: run, stop: signals.askToStop)
        }
        let venue = OtherVenue(seed: seed, run: run, meter: engineMeter)
        let leftovers = await withTaskGroup(of: Void.self, returning: [SettlementItem].self) { group in
            group.addTask { [panel] in
                if let panel {
                    await panel.run()
                } else {
                    await UpReport(
                        service: service, meter: meter, engineMeter: engineMeter, output: context.output
                    ).run(else: trading.stop)
                }
            }
            group.addTask { await stopInTime(trading) }
            group.addTask {
                do { try await trading.trade(mark: mark) } catch {
                    fail("the simulated market stopped: \((error as? CommandFailure)?.message ?? "\(error)")")
                }
                // Who uses the engine beside the market must not move money while both sides are compared.
                engine.takeNoMoreCommands()
                await CatchUp(service: service, meter: engineMeter).run()
                service.stop()
            }
            let leftovers = await service.run(sources: [venue, poison])
            trading.stop()
            group.cancelAll()
            return leftovers
        }
        screen?.leave()
        if signals.wasForced {
            throw CommandFailure("stopped at once; \(leftovers.count.counted("trade")) left", exit: .forced)
        }
        if let failure = failure.withLock({ $0 }) { throw CommandFailure(failure.printable) }
        signals.letGo()
        context.output.note("verifying the books")
        let end = try database.connect()
        let comparison = try await UpComparison(
            of: trading.accounts, in: engine.entryEndpoint, home.stream, on: end)
        engine.stop()
        await engineEnd
        try await UpSummary(
            totals: meter.totals, left: leftovers.count, lastSettled: meter.lastSettled?.key, comparison: comparison,
            isPaused: service.queueControl.isPaused, database: database
        ).show(end, context)
    }

    /// The engine at work on what it did before, listening where nobody else does.
    private func engine(at home: EngineHome, log: Log) throws -> EngineHost {
        var settings = EngineSettings(entryEndpoint: "tcp://127.0.0.1:*", feedEndpoint: "tcp://127.0.0.1:*")
        settings.stream = home.stream
        settings.folder = home.folder
        // Enough to look back for a while; what is not settled is kept in any case.
        settings.keptRecords = 100_000
        do { return try EngineHost(settings, log: log) } catch LogFailure.unusable(let file, "lock", _) {
            throw CommandFailure(
                "another 'settle up' is at work on these books: it has locked \(file.printable). Stop it first, or run "
                    + "this one in an empty folder without a database named.")
        } catch {
            throw CommandFailure("the engine cannot start: \("\(error)".printable)")
        }
    }

    private func stopInTime(_ trading: SimulatedTrading) async {
        guard let time, (try? await Task.sleep(for: time)) != nil else { return }
        trading.stop()
    }
}
