import CommandKit
import EngineHost
import ServiceKit
import TradeModel

struct RunEngine: Command {
    static let info = CommandInfo(
        "engine", summary: "Run the matching engine and its feed, until stopped by a signal.",
        discussion: """
            It takes orders in, matches them, and publishes what came of each as one numbered, hashed record. With --wal \
            the commands are written ahead: what was answered or published is so after any crash. With --no-wal only \
            the newest records are kept, in memory. 'settle worker --feed' settles what it does. Listen on addresses of \
            this machine alone: who reaches them may give orders in anybody's name.

            With --follow it is a replica: it does what the engine there has done, compares each record, and takes no \
            orders until 'settle engine promote' lets it lead. Two engines on one machine need an --orders and a --feed \
            each.
            """,
        examples: [
            Example("settle engine --wal engine", "Keep everything in the folder 'engine'."),
            Example("settle engine --no-wal", "Lose everything when it ends: for a trial."),
            Example(
                "settle engine --wal replica --follow tcp://127.0.0.1:5551",
                "Stand by for the engine that publishes there."),
        ])

    @Option("--wal", "DIR", help: "Keep commands, records and snapshots in this folder.", environment: "SETTLE_WAL")
    var wal: String?
    @Flag("--no-wal", help: "Keep the newest records in memory alone.") var noWAL: Bool
    @Option(
        "--orders", help: "Listen here for orders.", environment: "SETTLE_ENGINE",
        default: .orders)
    var orders: Endpoint
    @Option(
        "--feed", help: "Publish the output here.", environment: "SETTLE_FEED",
        default: .feed)
    var feed: Endpoint
    @Option(
        "--market-data", "ENDPOINT", help: "Tell everybody of the markets here: trades, books, tickers.",
        environment: "SETTLE_MARKET_DATA")
    var marketData: Endpoint?
    @Option("--follow", help: "Follow the engine that publishes here, until promoted.", environment: "SETTLE_FOLLOW")
    var leader: Endpoint?
    @Flag("--step-down", help: "Follow again whom this engine has taken the place of.") var stepDown: Bool
    @Option("--stream", "NAME", help: "What the output is called.", environment: "SETTLE_STREAM", default: .main)
    var stream: Identifier
    @Option(
        "--snapshot-every", "N", help: "Keep a snapshot after so many records.",
        environment: "SETTLE_ENGINE_SNAPSHOT_RECORDS", default: Count(EngineSettings.usualSnapshotRecords))
    var snapshotRecords: Count
    @Option(
        "--keep", "N", help: "Keep so many of the newest records for consumers that come later.",
        environment: "SETTLE_ENGINE_KEPT_RECORDS", default: Count(EngineSettings.usualKeptRecords))
    var keptRecords: Count
    @Option(
        "--batch", "N", help: "So many commands at most share one wait for the disk.",
        environment: "SETTLE_ENGINE_BATCH_COMMANDS", default: Count(EngineSettings.usualBatchCommands))
    var batchCommands: Count
    @Option("--log-level", help: "What is logged to stderr.", environment: "SETTLE_LOG_LEVEL", default: .info)
    var logLevel: LogLevel

    func validate() throws {
        if noWAL, $wal == .commandLine { throw UsageError("'--no-wal' contradicts '--wal'") }
        guard noWAL || wal != nil else {
            throw UsageError("name a folder with '--wal', or say '--no-wal' to lose everything when the engine ends")
        }
        if stepDown, leader == nil { throw UsageError("'--step-down' goes with '--follow'") }
        if let leader, leader == feed {
            throw UsageError("'--follow' names another engine's feed, and '--feed' where this one will publish")
        }
        try snapshotRecords.check("--snapshot-every", Self.snapshotRange)
        try keptRecords.check("--keep", Self.keptRange)
        try batchCommands.check("--batch", Self.batchRange)
        guard Identifier(streamName: stream.text) != nil else {
            throw UsageError("'--stream' is a name of at most 40 bytes")
        }
    }

    static let snapshotRange = 1_000...1_000_000_000
    static let keptRange = 1_000...1_000_000_000
    static let batchRange = 1...10_000

    func run(_ context: Context) async throws {
        var settings = EngineSettings(entryEndpoint: orders.text, feedEndpoint: feed.text)
        settings.stream = stream
        settings.folder = noWAL ? nil : wal
        settings.leader = leader?.text
        settings.stepsDown = stepDown
        settings.snapshotRecords = Int64(snapshotRecords.value)
        settings.keptRecords = Int64(keptRecords.value)
        settings.batchCommands = batchCommands.value
        let host: EngineHost
        let log = Log(level: logLevel.level)
        let publisher: MarketDataPublisher?
        do {
            host = try EngineHost(settings, log: log)
            publisher = try marketData.map { endpoint in
                try MarketDataPublisher(
                    orders: host.entryEndpoint, feed: host.feedEndpoint, endpoint: endpoint.text, log: log)
            }
        } catch {
            throw CommandFailure("the engine cannot start: \("\(error)".printable)")
        }
        let publishing = Task { await publisher?.run() }
        defer { publishing.cancel() }
        let signals = StopSignals(first: { host.stop() }, second: { host.stop() })
        defer { signals.letGo() }
        do { try await host.run() } catch let difference as EngineDivergence {
            throw CommandFailure(difference.description.printable, exit: .mismatch)
        } catch {
            throw CommandFailure("the engine stopped: \("\(error)".printable)")
        }
    }
}
