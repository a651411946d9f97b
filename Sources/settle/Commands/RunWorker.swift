import CommandKit
import Configuration
import Repository
import ServiceKit
import SettlementWorkers
import TradeFeed
import TradeModel

struct RunWorker: Command {
    static let info = CommandInfo(
        "worker", summary: "Settle trades, until stopped by a signal.",
        discussion: """
            It settles what waits as PENDING in the database, with --intake what engines push over ZeroMQ, and with \
            --feed what an engine of ours does, from where it was left (docs/wire.md). Any number of workers may run on \
            one database. The first SIGTERM or SIGINT drains and ends; a second one ends at once; a third exits on the \
            spot. SIGHUP reads the configuration again (docs/configuration.md).
            """,
        examples: [
            Example("settle worker --intake tcp://127.0.0.1:5558", "Also listen for trades."),
            Example("settle worker --once", "Settle what waits, then end."),
            Example("settle worker --audit-csv trades.csv", "Keep a CSV of all settled trades beside it."),
            Example(
                "settle worker --intake tcp://127.0.0.1:5558 --when-full park",
                "Never hold an engine back; 'settle dlq retry --class queue_full' settles what had no room."),
            Example(
                "settle worker --feed tcp://127.0.0.1:5561",
                "Settle what 'settle engine' does; of several such workers one follows, and the others stand by."),
        ])

    @Option("--intake", help: "Listen here for trades over ZeroMQ.", environment: "SETTLE_INTAKE")
    var intake: Endpoint?
    @Option("--feed", help: "Follow the output of the engine that publishes here.", environment: "SETTLE_FEED")
    var feed: Endpoint?
    @Option("--stream", "NAME", help: "What that output is called.", environment: "SETTLE_STREAM", default: .main)
    var stream: Identifier
    @Flag("--once", help: "Settle what is PENDING now, then end.") var once: Bool
    @Option(
        "--when-full",
        help:
            "What becomes of pushed trades when the queue is full: the sender waits, or they are parked as queue_full.",
        environment: "SETTLE_WHEN_FULL", default: .wait)
    var whenFull: SettlementService.WhenFull
    @Option(
        "--audit-csv", "FILE",
        help: "Keep this file up to date with all settled trades, in the order of their commits.",
        environment: "SETTLE_AUDIT_CSV")
    var auditCSV: String?
    @OptionGroup("Limits") var limits: LimitOptions
    @Option("--log-level", help: "What is logged to stderr.", environment: "SETTLE_LOG_LEVEL", default: .info)
    var logLevel: LogLevel

    /// How long an end may take until the audit CSV has what was settled last.
    private static let auditPatience = Duration.seconds(5)

    func validate() throws {
        if once, $intake == .commandLine {
            throw UsageError("'--once' takes what is PENDING; it goes without '--intake'")
        }
        if once, $feed == .commandLine {
            throw UsageError("'--once' takes what is PENDING; it goes without '--feed'")
        }
    }

    /// What was given, by the variable of the setting: a reload leaves it as it is.
    private var flags: [String: SettingValues.FlagValue] {
        var flags = limits.flags
        if $logLevel == .commandLine { flags["SETTLE_LOG_LEVEL"] = .init("--log-level", logLevel.rawValue) }
        if $intake == .commandLine, let intake { flags["SETTLE_INTAKE"] = .init("--intake", intake.text) }
        if $feed == .commandLine, let feed { flags["SETTLE_FEED"] = .init("--feed", feed.text) }
        if $stream == .commandLine { flags["SETTLE_STREAM"] = .init("--stream", stream.text) }
        if $whenFull == .commandLine { flags["SETTLE_WHEN_FULL"] = .init("--when-full", whenFull.rawValue) }
        if $auditCSV == .commandLine, let auditCSV { flags["SETTLE_AUDIT_CSV"] = .init("--audit-csv", auditCSV) }
        return flags
    }

    func run(_ context: Context) async throws {
        let log = Log(level: logLevel.level)
        let reload = try ConfigurationReload(context, flags: flags, log: log)
        let database = try Database(context, isMaker: true)
        defer { database.leave() }
        let limits = limits.applied(to: database.limits)
        var configuration = SettlementService.Configuration(
            connectionString: database.connectionString, limits: limits, version: Settle.version, log: log,
            render: WireEncoder.encode)
        configuration.whenFull = whenFull
        if let feed, !once { configuration.feed = EngineFeed(endpoint: feed.text, stream: stream, log: log) }
        var sources: [any SettlementService.Source] = []
        if let intake, !once {
            let socket: IntakeSocket
            do { socket = try IntakeSocket(endpoint: intake.text) } catch {
                throw CommandFailure(
                    "\(error.description.printable). "
                        + "Give '--intake' an address of this machine that nobody else listens on.")
            }
            sources.append(
                IntakeSource(socket) { [limits = configuration.limits] in .seconds(limits.shutdownTimeoutSeconds) })
            log.info("listening", ["endpoint": socket.endpoint])
        }
        let csv = try auditCSV.map {
            try RunningCSV($0, connectionString: database.connectionString, limits: limits, log: log)
        }
        let service = try SettlementService(configuration)
        reload.passesOn(to: service, logLevel: .info)
        async let _ = reload.run(stop: service.stop)
        let signals = StopSignals(first: { service.stop() }, second: { Task { await service.abort() } })
        let following = csv.map { csv in Task { await csv.run() } }
        let leftovers: [SettlementItem]
        do {
            leftovers = once ? try await service.runOnce() : await service.run(sources: sources)
        } catch {
            following?.cancel()
            throw error
        }
        if let csv, let following {
            await csv.finish(following, patience: signals.wasForced ? .zero : Self.auditPatience)
        }
        if signals.wasForced {
            throw CommandFailure("stopped at once; \(leftovers.count.counted("trade")) left", exit: .forced)
        }
        if let failure = await service.intakeFailure { throw CommandFailure("the intake failed: \(failure)") }
        if !leftovers.isEmpty {
            throw CommandFailure(
                "the deadline came with \(leftovers.count.counted("trade")) unsettled; the log names what is left")
        }
    }
}
