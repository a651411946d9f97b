import CommandKit
import Repository
import ServiceKit
import SettlementWorkers
import TradeFeed

struct RunWorker: Command {
    static let info = CommandInfo(
        "worker", summary: "Settle trades, until stopped by a signal.",
        discussion: """
            It settles what waits as PENDING in the database and, with --intake, what engines push over ZeroMQ \
            (docs/wire.md). Any number of workers may run on one database. The first SIGTERM or SIGINT drains and ends; \
            a second one ends at once; a third exits on the spot.
            """,
        examples: [
            Example("settle worker --intake tcp://127.0.0.1:5558", "Also listen for trades."),
            Example("settle worker --once", "Settle what waits, then end."),
            Example(
                "settle worker --intake tcp://127.0.0.1:5558 --when-full park",
                "Never hold an engine back; 'settle dlq retry --class queue_full' settles what had no room."),
        ])

    @Option("--intake", "ENDPOINT", help: "Listen here for trades over ZeroMQ.", environment: "SETTLE_INTAKE")
    var intake: String?
    @Flag("--once", help: "Settle what is PENDING now, then end.") var once: Bool
    @Option(
        "--when-full",
        help:
            "What becomes of pushed trades when the queue is full: the sender waits, or they are parked as queue_full.",
        environment: "SETTLE_WHEN_FULL", default: .wait)
    var whenFull: SettlementService.WhenFull
    @OptionGroup("Limits") var limits: LimitOptions
    @Option("--log-level", help: "What is logged to stderr.", environment: "SETTLE_LOG_LEVEL", default: .info)
    var logLevel: LogLevel

    func validate() throws {
        if once, intake != nil { throw UsageError("'--once' takes what is PENDING; it goes without '--intake'") }
    }

    func run(_ context: Context) async throws {
        let log = Log(level: logLevel.level)
        let database = try Database(context)
        defer { database.leave() }
        let limits = limits.applied(to: database.limits)
        var sources: [any SettlementService.Source] = []
        if let intake {
            let socket: IntakeSocket
            do { socket = try IntakeSocket(endpoint: intake) } catch { throw CommandFailure("\(error)") }
            sources.append(
                IntakeSource(socket: socket, log: log, shutdownTimeout: .seconds(limits.shutdownTimeoutSeconds)))
            log.info("listening", ["endpoint": socket.endpoint])
        }
        var configuration = SettlementService.Configuration(
            connectionString: database.connectionString, limits: limits, version: Settle.version, log: log,
            render: WireEncoder.encode)
        configuration.whenFull = whenFull
        let service = try SettlementService(configuration)
        let signals = StopSignals(first: { service.stop() }, second: { Task { await service.abort() } })
        let leftovers = once ? try await service.runOnce() : await service.run(sources: sources)
        if signals.wasForced { throw CommandFailure("stopped at once; \(leftovers.count) trades left", exit: .forced) }
        if let failure = await service.intakeFailure { throw CommandFailure("the intake failed: \(failure)") }
        if !leftovers.isEmpty {
            throw CommandFailure(
                "the deadline came with \(leftovers.count) trades unsettled; they are named in the log")
        }
    }
}
