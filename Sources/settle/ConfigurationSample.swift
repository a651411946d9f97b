import CommandKit
import ServiceKit

/// The file config/settle.yaml: every setting with its default, explained.
enum ConfigurationSample {
    static var text: String { introduction + Settings.groups.map(group).joined(separator: "\n") }

    private static let introduction = """
        # Every setting of settle, with its default. Copy it to settle.yaml in the folder where settle runs, or name it
        # with --config or SETTLE_CONFIG. What is left out has its default; what has no value here may stay empty.
        # A flag goes over a variable of the environment, that over this file. 'settle config check' finds mistakes,
        # 'settle config show' says what holds. docs/configuration.md tells more.


        """

    private static func group(_ name: String, _ settings: [Setting]) -> String {
        "\(name):\n" + settings.map(entry).joined(separator: "\n")
    }

    private static func entry(_ setting: Setting) -> String {
        var facts = [setting.range]
        if setting.defaultValue == nil { facts.append("without it: \(setting.defaultRemark)") }
        facts.append(setting.variable)
        if setting.isReloadable { facts.append("taken over on SIGHUP") }
        let lines = [setting.summary, facts.joined(separator: "; ") + "."].flatMap { $0.wrapped(toColumns: 112) }
        let value = setting.defaultValue.map { " \($0)" } ?? ""
        return lines.map { "  # \($0)\n" }.joined() + "  \(setting.name):\(value)\n"
    }
}
