import CommandKit
import Configuration
import ServiceKit

extension Global {
    /// Read from the current folder where no file is named.
    static let configurationName = "settle.yaml"

    /// The configuration file as it stands, right or wrong: the one that is named, or `settle.yaml` in the current
    /// folder. Nil if there is none.
    func configurationFile(named name: String? = nil) throws -> ConfigurationFile? {
        let named = name ?? config
        do throws(FileProblem) {
            return try ConfigurationFile(path: named ?? Self.configurationName, settings: Settings.all)
        } catch {
            if named == nil, error.isMissing { return nil }
            throw error
        }
    }

    /// The configuration file, if there is one; throws the first of its problems.
    func configuration() throws -> ConfigurationFile? {
        guard let file = try configurationFile() else { return nil }
        guard let problem = file.problems.first else { return file }
        let more = file.problems.count - 1
        // Without an argument it checks what variables and the current folder name.
        let argument = $config == .commandLine ? " \(file.path)" : ""
        let rest =
            more == 0
            ? ""
            : " \(more.counted("more problem")): 'settle config check\(argument)' lists \(more == 1 ? "it." : "them.")"
        let end = rest.isEmpty || problem.suggestion != nil ? "" : "."
        throw CommandFailure("\(problem)\(end)\(rest)", exit: .usage)
    }

    /// What was given for settings, by their variable.
    var flags: [String: SettingValues.FlagValue] {
        guard $databaseURL == .commandLine, let databaseURL else { return [:] }
        return ["DATABASE_URL": .init("--database-url", databaseURL)]
    }

    func suppliedValues(environment: [String: String]) throws -> [String: SuppliedValue] {
        guard let file = try configuration() else { return [:] }
        var supplied: [String: SuppliedValue] = [:]
        for setting in Settings.all {
            guard let entry = file.entries[setting.key], !entry.text.isEmpty else { continue }
            supplied[setting.variable] = SuppliedValue(entry.text, place: file.place(of: setting.key) ?? file.path)
        }
        return supplied
    }
}
