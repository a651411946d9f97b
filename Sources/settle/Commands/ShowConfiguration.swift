import CommandKit
import Configuration
import ServiceKit
import SettlementWorkers

struct ShowConfiguration: Command {
    static let info = CommandInfo(
        "show", summary: "Show every setting's value, and where it came from.",
        discussion: """
            A flag goes over a variable of the environment, that over the configuration file, and that over the default. \
            The flags of 'settle worker' that stand for settings may be given to see what they would do. Passwords are \
            hidden. It reaches for no database.
            """,
        examples: [
            Example("settle config show --changed", "Only what is not the default."),
            Example("settle config show --json", "For a script."),
        ])

    @Flag("--changed", help: "Leave out what has its default.") var changed: Bool
    @Option("--intake", help: "As of 'settle worker'.") var intake: Endpoint?
    @Option("--when-full", help: "As of 'settle worker'.") var whenFull: SettlementService.WhenFull?
    @Option("--log-level", help: "As of 'settle worker'.") var logLevel: LogLevel?
    @OptionGroup("Limits") var limits: LimitOptions

    func run(_ context: Context) async throws {
        var flags = limits.flags.merging(context.globals.flags) { own, _ in own }
        if let intake { flags["SETTLE_INTAKE"] = .init("--intake", intake.text) }
        if let whenFull { flags["SETTLE_WHEN_FULL"] = .init("--when-full", whenFull.rawValue) }
        if let logLevel { flags["SETTLE_LOG_LEVEL"] = .init("--log-level", logLevel.rawValue) }
        let environment = context.terminal.environment
        let values = SettingValues(
            Settings.all, flags: flags, environment: environment, file: try context.globals.configuration())
        if let problem = values.problems.first { throw CommandFailure("\(problem)", exit: .usage) }
        let shown = values.all.filter { !changed || $0.origin != .default }
        let connection = Self.connectionVariables(environment)
        try context.output.list(
            shown.map(\.json) + connection.map(\.json), empty: "Every setting has its default."
        ) {
            var table = Table("KEY", "VALUE", "FROM")
            for value in shown { table.add(.init(value.setting.key), .init(value.shown), .init(value.origin.name)) }
            for variable in connection {
                table.add("-", .init(variable.shown), .init(variable.name))
            }
            return table
        }
    }

    /// libpq reads variables of its own, for whatever the database's URL leaves open.
    private static func connectionVariables(_ environment: [String: String]) -> [ConnectionVariable] {
        environment.filter { $0.key.hasPrefix("PG") && !$0.value.isEmpty }.sorted { $0.key < $1.key }.map {
            ConnectionVariable(
                name: $0.key, shown: $0.key.hasSuffix("PASSWORD") ? Secret.mask : Secret.masked($0.value))
        }
    }
}

/// A variable that libpq reads.
private struct ConnectionVariable {
    var name: String
    var shown: String

    var json: JSONValue {
        [
            "key": nil, "variable": .string(name), "value": .string(shown), "origin": "environment",
            "place": .string(name), "default": nil, "reloadable": false,
        ]
    }
}

extension SettingValues.Value {
    fileprivate var json: JSONValue {
        [
            "key": .string(setting.key), "variable": .string(setting.variable),
            "value": text == nil ? .null : .string(shown), "origin": .string(origin.kind),
            "place": .string(origin.place), "default": .string(setting.defaultValue),
            "reloadable": .bool(setting.isReloadable),
        ]
    }
}

extension SettingValues.Origin {
    fileprivate var name: String { place ?? kind }

    fileprivate var kind: String {
        switch self {
        case .flag: "flag"
        case .environment: "environment"
        case .file: "file"
        case .default: "default"
        }
    }

    fileprivate var place: String? {
        switch self {
        case .flag(let place), .environment(let place), .file(let place): place
        case .default: nil
        }
    }
}
