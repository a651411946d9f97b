import CommandKit
import ServiceKit

/// The value that each setting has, and where it came from: a flag goes over the environment, that over the
/// configuration file, and that over the default.
public struct SettingValues: Sendable {
    public enum Origin: Sendable, Equatable {
        /// With the name of the flag.
        case flag(String)
        /// With the name of the variable.
        case environment(String)
        /// With file and line: `settle.yaml:12`.
        case file(String)
        case `default`
    }

    /// A flag that was given for a setting.
    public struct FlagValue: Sendable {
        public var name: String
        public var text: String

        public init(_ name: String, _ text: String) {
            self.name = name
            self.text = text
        }
    }

    /// One setting's value; nil where nothing is set and the default is no value of its own.
    public struct Value: Sendable {
        public let setting: Setting
        public let text: String?
        public let origin: Origin

        /// As people are shown it: without passwords, and the default in words.
        public var shown: String {
            guard let text else { return setting.defaultRemark }
            guard setting.isSecret else { return text }
            // What cannot be read may hold the password anywhere.
            return setting.accepts(text) ? Secret.masked(text) : Secret.mask
        }
    }

    /// In the order in which the settings are declared.
    public private(set) var all: [Value]

    /// - Parameter flags: what was given on the command line, by the variable of the setting.
    public init(
        _ settings: [Setting], flags: [String: FlagValue], environment: [String: String], file: ConfigurationFile?
    ) {
        all = settings.map { setting in
            if let flag = flags[setting.variable] {
                Value(setting: setting, text: flag.text, origin: .flag(flag.name))
            } else if let text = environment[setting.variable], !text.isEmpty {
                Value(setting: setting, text: text, origin: .environment(setting.variable))
            } else if let file, let entry = file.entries[setting.key], !entry.text.isEmpty {
                Value(setting: setting, text: entry.text, origin: .file("\(file.path):\(entry.line)"))
            } else {
                Value(setting: setting, text: setting.defaultValue, origin: .default)
            }
        }
    }

    public subscript(key: String) -> Value? { all.first { $0.setting.key == key } }

    /// Everything that is set or has a default, by variable: what ``Limits`` and others read in place of the
    /// environment.
    public var environment: [String: String] {
        var environment: [String: String] = [:]
        for value in all { environment[value.setting.variable] = value.text }
        return environment
    }

    /// Variables that do not hold what they should. What stands in a file was checked when it was read.
    public var problems: [ConfigurationProblem] {
        all.compactMap { value in
            guard case .environment(let variable) = value.origin, let text = value.text,
                !value.setting.accepts(text)
            else { return nil }
            let found = value.setting.isSecret ? "" : ", found '\(text)'"
            return ConfigurationProblem(
                key: variable, message: "\(variable): expected \(value.setting.expectation)\(found)",
                suggestion: value.setting.suggestion(for: text))
        }
    }

    /// These values, with those of a later state that a running process takes over.
    public func reloaded(from later: SettingValues) -> SettingValues {
        var values = self
        values.all = zip(all, later.all).map { $0.setting.isReloadable ? $1 : $0 }
        return values
    }

    /// What has another value in a later state of the configuration.
    public func changes(to later: SettingValues) -> [(from: Value, to: Value)] {
        zip(all, later.all).filter { $0.text != $1.text }.map { (from: $0, to: $1) }
    }
}
