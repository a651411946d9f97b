import Configuration
import EngineHost
import Repository
import ServiceKit
import SettlementWorkers
import TradeModel

/// Every setting there is: what stands in the configuration file, in the environment, and in docs/configuration.md.
enum Settings {
    static let all: [Setting] =
        [
            Setting(
                "database.url", variable: "DATABASE_URL",
                .text(
                    expected: """
                        a database URL such as postgres://USER:PASSWORD@HOST:PORT/DATABASE (a password's '@' is written \
                        %40, its '/' %2F, its '%' %25)
                        """,
                    isValid: { ConnectionString($0) != nil }),
                default: nil, remark: "as libpq's PG* variables say, else a private one in .settle/",
                secret: true, "The PostgreSQL to work on."),
            Setting(
                "migrations.directory", variable: "SETTLE_MIGRATIONS",
                .text(expected: "a path", isValid: { !$0.isEmpty }),
                default: nil, remark: "found from the program", "Where the folder migrations/ is."),
            Setting(
                "log.level", .choice(Log.Level.allCases.map(\.rawValue)), default: nil,
                remark: "info, and error for 'settle up'", reloadable: true,
                "What is logged: events of this level and above."),
            Setting(
                "worker.intake", variable: "SETTLE_INTAKE",
                .text(
                    expected: Endpoint.expectation, isValid: Endpoint.isEndpoint),
                default: nil, remark: "nowhere", "Where trades are listened for over ZeroMQ."),
            Setting(
                "worker.feed", variable: "SETTLE_FEED",
                .text(expected: Endpoint.expectation, isValid: Endpoint.isEndpoint),
                default: nil, remark: "none", "Where an engine publishes its output, and a worker follows it."),
            Setting(
                "worker.stream", variable: "SETTLE_STREAM",
                .text(expected: "a name of at most 40 bytes", isValid: { Identifier(streamName: $0) != nil }),
                default: Identifier.main.text, "What that engine's output is called."),
            Setting(
                "worker.when_full", variable: "SETTLE_WHEN_FULL",
                .choice(SettlementService.WhenFull.allCases.map(\.rawValue)),
                default: SettlementService.WhenFull.wait.rawValue,
                "What becomes of a received trade while the queue is full: its sender waits, or it is parked."),
            Setting(
                "worker.audit_csv", variable: "SETTLE_AUDIT_CSV", .text(expected: "a path", isValid: { !$0.isEmpty }),
                default: nil, remark: "none", "The file that a worker keeps up to date with all settled trades."),
        ] + Limits.settings.map(\.setting) + engine

    private static let engine = [
        Setting(
            "engine.wal", variable: "SETTLE_WAL", .text(expected: "a path", isValid: { !$0.isEmpty }), default: nil,
            remark: "none: '--wal' or '--no-wal' must say", "Where the engine keeps commands, records and snapshots."),
        Setting(
            "engine.orders", variable: "SETTLE_ENGINE",
            .text(expected: Endpoint.expectation, isValid: Endpoint.isEndpoint),
            default: Endpoint.orders.text, "Where the engine takes orders, and where those who give them find it."),
        Setting(
            "engine.follow", variable: "SETTLE_FOLLOW",
            .text(expected: Endpoint.expectation, isValid: Endpoint.isEndpoint), default: nil,
            "The feed of the engine that this one stands by for."),
        Setting(
            "engine.market_data", variable: "SETTLE_MARKET_DATA",
            .text(expected: Endpoint.expectation, isValid: Endpoint.isEndpoint), default: nil,
            "Where everybody is told of the markets."),
        Setting(
            "engine.snapshot_records", .number(RunEngine.snapshotRange),
            default: "\(EngineSettings.usualSnapshotRecords)",
            "How many records lie between two snapshots: a start repeats no more than twice as many."),
        Setting(
            "engine.kept_records", .number(RunEngine.keptRange), default: "\(EngineSettings.usualKeptRecords)",
            "How many of the newest records are kept for consumers that come later."),
        Setting(
            "engine.batch_commands", .number(RunEngine.batchRange), default: "\(EngineSettings.usualBatchCommands)",
            "How many commands at most share one write of the log, and so one wait for the disk."),
    ]

    /// The settings by group, each group where it is met first.
    static var groups: [(name: String, settings: [Setting])] {
        var names: [String] = []
        for setting in all where !names.contains(setting.group) { names.append(setting.group) }
        return names.map { name in (name, all.filter { $0.group == name }) }
    }
}

extension Setting {
    /// What the values of its kind are, in few words, with the unit that its name says: `1 to 60000 ms`.
    var range: String {
        switch kind {
        case .number(let range): "\(range.lowerBound) to \(range.upperBound)" + (unit.map { " \($0)" } ?? "")
        case .choice(let words): words.joined(separator: ", ")
        case .choices(let words): "any of " + words.joined(separator: ", ")
        case .text: expectation
        }
    }

    private var unit: String? {
        [("milliseconds", "ms"), ("seconds", "s"), ("bytes", "bytes")].first { name.contains($0.0) }?.1
    }
}
