import CommandKit
import ServiceKit

/// Compares the tree of a configuration file with the settings that there are.
struct ConfigurationWalk {
    private let settings: [Setting]
    private(set) var entries: [String: ConfigurationFile.Entry] = [:]
    private(set) var problems: [ConfigurationProblem] = []
    /// Where each key and group was met first.
    private var lines: [String: Int] = [:]

    /// Longer names are not compared with those that exist: nobody mistypes that much.
    private static let comparedLengthMax = 64

    init(settings: [Setting]) {
        self.settings = settings
    }

    mutating func visit(_ root: YAMLNode) {
        if root.isNull { return }
        guard case .mapping(let pairs) = root.content else {
            let example = settings.first.map { "'\($0.group):' with '\($0.name): …' indented below it" } ?? ""
            return report(root.line, nil, "expected settings, such as \(example), found \(Self.name(of: root))")
        }
        visit(pairs, below: "")
    }

    private mutating func visit(_ pairs: [(key: YAMLNode, value: YAMLNode)], below prefix: String) {
        for (keyNode, value) in pairs {
            guard case .scalar(let name, _) = keyNode.content else {
                report(keyNode.line, nil, "expected the name of a setting, found \(Self.name(of: keyNode))")
                continue
            }
            visit(prefix + name, value, line: keyNode.line)
        }
    }

    private mutating func visit(_ key: String, _ value: YAMLNode, line: Int) {
        if let first = lines[key] {
            return report(line, key, "'\(Self.short(key))' is set twice, in line \(first) too; keep one of them")
        }
        lines[key] = line
        if let setting = settings.first(where: { $0.key == key }) {
            take(value, for: setting, line: line)
        } else if settings.contains(where: { $0.group == key }) {
            if value.isNull { return }
            guard case .mapping(let pairs) = value.content else {
                return report(
                    line, key,
                    "'\(key)' is a group and takes no value; its settings stand indented below it: "
                        + members(of: key))
            }
            visit(pairs, below: key + ".")
        } else {
            reportUnknown(key, line: line)
        }
    }

    private mutating func take(_ value: YAMLNode, for setting: Setting, line: Int) {
        if value.isNull {
            // Where nothing holds by default, nothing may be said as well.
            if setting.defaultValue == nil { return }
            return reportValue("nothing", of: setting, line: line)
        }
        guard let text = text(of: value, for: setting) else {
            return reportValue(Self.name(of: value), of: setting, line: line)
        }
        guard setting.accepts(text) else {
            return reportValue(
                "'\(Self.short(Secret.masked(text)))'", of: setting, line: line, setting.suggestion(for: text))
        }
        entries[setting.key] = ConfigurationFile.Entry(text: text, line: line)
    }

    /// The value as a variable would hold it; nil if it has not the right shape.
    private func text(of value: YAMLNode, for setting: Setting) -> String? {
        if case .choices = setting.kind, case .sequence(let elements) = value.content {
            let words = elements.compactMap(\.text)
            return words.count == elements.count ? words.joined(separator: ",") : nil
        }
        // The rest of the program is asked with C strings, which end at a NUL.
        return value.text.flatMap { $0.unicodeScalars.contains("\0") ? nil : $0 }
    }

    // MARK: What is wrong

    private mutating func report(_ line: Int, _ key: String?, _ message: String, suggestion: String? = nil) {
        guard problems.count < ConfigurationFile.problemsMax else { return }
        problems.append(
            ConfigurationProblem(line: line, key: key.map(Self.short), message: message, suggestion: suggestion))
    }

    private mutating func reportValue(
        _ found: String, of setting: Setting, line: Int, _ suggestion: String? = nil
    ) {
        // A password may stand anywhere in the value of such a setting.
        let found = setting.isSecret && found.hasPrefix("'") ? "" : ", found \(found)"
        report(line, setting.key, "\(setting.key): expected \(setting.expectation)\(found)", suggestion: suggestion)
    }

    private mutating func reportUnknown(_ key: String, line: Int) {
        let suggestion = suggestion(for: key)
        let group = String(key.prefix { $0 != "." })
        let isInGroup = group != key && settings.contains { $0.group == group }
        let hint =
            suggestion != nil ? "" : isInGroup ? "; '\(group)' has \(members(of: group))" : "; there are \(groups)"
        report(
            line, key, "unknown key '\(Self.short(Secret.masked(key)))'\(hint)", suggestion: suggestion)
    }

    private func suggestion(for key: String) -> String? {
        guard key.count <= Self.comparedLengthMax else { return nil }
        // The same letters in another spelling, or the name of the variable, or the key without its group.
        func bare(_ text: String) -> String { text.lowercased().filter { $0.isLetter || $0.isNumber } }
        let typed = bare(key)
        if let same = settings.first(where: { [bare($0.key), bare($0.variable)].contains(typed) }) { return same.key }
        let lastPart = key.split(separator: ".").last.map(String.init) ?? key
        let named = settings.filter { $0.name == lastPart }
        if named.count == 1 { return named[0].key }
        return nearestName(to: key, among: settings.map(\.key) + groupNames)
    }

    private var groupNames: [String] { Set(settings.map(\.group)).sorted() }
    private var groups: String { spokenList(groupNames.map { "'\($0)'" }, "and") }

    private func members(of group: String) -> String {
        spokenList(settings.filter { $0.group == group }.map { "'\($0.name)'" }, "and")
    }

    private static func name(of node: YAMLNode) -> String {
        switch node.content {
        case .scalar: node.isNull ? "nothing" : "a text"
        case .sequence: "a list"
        case .mapping: "a group of settings"
        }
    }

    private static func short(_ text: String) -> String { text.truncated(toColumns: comparedLengthMax) }
}
