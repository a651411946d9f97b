import CommandKit
import Configuration

struct CheckConfiguration: Command {
    static let info = CommandInfo(
        "check", summary: "Check a configuration file, and the variables of the environment.",
        discussion: """
            Without FILE it checks the file that every command here would read: that of --config or SETTLE_CONFIG, else \
            settle.yaml in the current folder. It lists everything that is wrong, and exits 64 then. It reaches for no \
            database.
            """,
        examples: [
            Example("settle config check", "The file that commands read here."),
            Example("settle config check config/settle.yaml", "A file before it is put to use."),
        ])
    /// A file that is wrong is what it is here for.
    static let takesSuppliedValues = false

    @Argument("FILE", help: "The file; the one that commands read here, unless given.") var file: String?

    func run(_ context: Context) async throws {
        let file = try context.globals.configurationFile(named: file)
        let values = SettingValues(Settings.all, flags: [:], environment: context.terminal.environment, file: nil)
        let problems = (file?.problems ?? []) + values.problems
        let variableCount = values.all.count { if case .environment = $0.origin { true } else { false } }
        try context.output.show([
            "ok": .bool(problems.isEmpty), "file": .string(file?.path),
            "settings_in_file": .integer(file?.entries.count ?? 0), "settings_in_environment": .integer(variableCount),
            "problems": .array(problems.map(\.json)),
        ]) {
            for problem in problems { try context.output.line("\(problem)".printable) }
            guard problems.isEmpty else { return }
            let inFile = file.map { "\($0.entries.count.counted("setting")) in \($0.path)" } ?? "no configuration file"
            try context.output.line("ok: \(inFile), \(variableCount.counted("setting")) in the environment".printable)
        }
        try context.output.flush()
        if let file, file.exposesPassword {
            context.output.note(
                "\(file.path) holds a password, and everybody on this machine may read it: chmod o-r \(file.path)")
        }
        for (name, meant) in unknownVariables(context.terminal.environment) {
            context.output.note("\(name) is no setting, and has no effect. Did you mean '\(meant)'?")
        }
        guard problems.isEmpty else {
            let file = file.flatMap { $0.problems.isEmpty ? nil : $0.path }
            let places = [file, values.problems.isEmpty ? nil : "the environment"].compactMap(\.self)
            throw CommandFailure(
                "\(problems.count.counted("problem")) in \(spokenList(places, "and")).", exit: .usage)
        }
    }

    /// Variables that look like one of ours, mistyped. Others are nobody's business: machines set some of their own.
    private func unknownVariables(_ environment: [String: String]) -> [(name: String, meant: String)] {
        let known = Settings.all.map(\.variable) + ["SETTLE_CONFIG"]
        return environment.keys.filter { $0.hasPrefix("SETTLE_") && !known.contains($0) }.sorted().compactMap { name in
            nearestName(to: name, among: known).map { (name, $0) }
        }
    }
}

extension ConfigurationProblem {
    fileprivate var json: JSONValue {
        [
            "file": .string(file), "line": .count(line), "key": .string(key),
            "message": .string(message), "suggestion": .string(suggestion),
        ]
    }
}
