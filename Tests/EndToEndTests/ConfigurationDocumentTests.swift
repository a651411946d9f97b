import Configuration
import Foundation
import ServiceKit
import Testing

@testable import settle

private let root = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path

/// The page and the sample hold what the declarations say.
@Suite struct ConfigurationDocumentTests {
    @Test func `the page names every setting`() {
        for setting in Settings.all {
            #expect(ConfigurationPage.text.contains("| `\(setting.key)` | `\(setting.variable)` |"))
        }
    }

    @Test func `the sample file names every setting, is valid, and says what holds anyway`() throws {
        let file = try ConfigurationFile(path: "\(root)/config/settle.yaml", settings: Settings.all)
        #expect(file.problems == [])
        let lines = ConfigurationSample.text.split(separator: "\n")
        for setting in Settings.all {
            #expect(lines.contains { $0.hasPrefix("  \(setting.name):") }, "\(setting.key)")
            #expect(file.entries[setting.key]?.text == setting.defaultValue, "\(setting.key)")
        }
        let values = SettingValues(Settings.all, flags: [:], environment: [:], file: file)
        #expect(try Limits(environment: values.environment) == Limits())
    }

    @Test func `keys and variables are each one setting's, and keys have a group and a name`() {
        #expect(Set(Settings.all.map(\.key)).count == Settings.all.count)
        #expect(Set(Settings.all.map(\.variable)).count == Settings.all.count)
        for setting in Settings.all {
            #expect(setting.key.wholeMatch(of: #/[a-z_]+\.[a-z_]+/#) != nil, "\(setting.key)")
            #expect(setting.defaultValue.map(setting.accepts) ?? true, "\(setting.key)")
            #expect(setting.summary.last == ".", "\(setting.key)")
        }
    }
}
