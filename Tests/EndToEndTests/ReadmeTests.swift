import Foundation
import SettleTesting
import Testing

/// What documents tell a reader to type, typed as it stands, each in an empty folder with a private database.
@Suite struct ReadmeTests {
    @Test(arguments: [
        "README.md", "docs/dead-letters.md", "docs/reading-the-books.md", "docs/reconciling.md",
        "docs/tamper-evidence.md", "docs/at-three-in-the-morning.md",
    ])
    func `the tour of a document does what it says`(document: String) async throws {
        let steps = try Tour.steps(of: document)
        #expect(steps.count > 8)
        let folder = NSTemporaryDirectory() + "settle-tour-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { Tour.remove(folder) }
        for step in steps {
            let output = try await Tour.type(step.command, in: folder)
            #expect(Tour.matches(output, step.output), "$ \(step.command)\n\(output)\ninstead of\n\(step.output)")
        }
    }
}

private enum Tour {
    struct Step {
        let command: String
        var output = ""
    }

    /// The commands of the blocks marked `console`, each with what it prints.
    static func steps(of file: String) throws -> [Step] {
        let root = URL(fileURLWithPath: migrationsDirectory).deletingLastPathComponent()
        let text = try String(contentsOf: root.appendingPathComponent(file), encoding: .utf8)
        var steps: [Step] = []
        var isInBlock = false
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.hasPrefix("```") {
                isInBlock = line == "```console"
            } else if isInBlock, line.hasPrefix("$ ") {
                steps.append(Step(command: String(line.dropFirst(2))))
            } else if isInBlock {
                steps[steps.count - 1].output += line + "\n"
            }
        }
        return steps
    }

    /// Runs a line in a shell that finds `settle` on its path, and returns what it writes to stdout.
    static func type(_ command: String, in folder: String) async throws -> String {
        let program = URL(fileURLWithPath: Program.path).deletingLastPathComponent().path
        let environment = ["PATH": "\(program):/usr/local/bin:/usr/bin:/bin", "HOME": folder]
        return try await Program(
            executable: "/bin/bash", ["-c", command], wholeEnvironment: environment, directory: folder
        ).wait(timeout: .seconds(180)).output
    }

    /// Removes the folder, and the data of its private database, which lie elsewhere when root runs the tests.
    static func remove(_ folder: String) {
        if let home = try? String(contentsOfFile: folder + "/.settle/postgres.location", encoding: .utf8) {
            try? FileManager.default.removeItem(atPath: home.trimmingCharacters(in: .whitespacesAndNewlines))
        }
        try? FileManager.default.removeItem(atPath: folder)
    }

    /// `…` in what is expected stands for anything on its line; alone on one, for any lines.
    static func matches(_ output: String, _ expected: String) -> Bool {
        // A CSV file's line ends with two characters.
        matches(output.split(whereSeparator: \.isNewline)[...], expected.split(separator: "\n")[...])
    }

    private static func matches(_ lines: ArraySlice<Substring>, _ patterns: ArraySlice<Substring>) -> Bool {
        guard let pattern = patterns.first else { return lines.isEmpty }
        let rest = patterns.dropFirst()
        if pattern == "…" { return (0...lines.count).contains { matches(lines.dropFirst($0), rest) } }
        guard let line = lines.first else { return false }
        // Where a text itself has one, it stands for itself.
        let parts = pattern.split(separator: "…", omittingEmptySubsequences: false)
        let isMatch = parts.count == 1 ? line == pattern : line.hasPrefix(parts.first!) && line.hasSuffix(parts.last!)
        return isMatch && matches(lines.dropFirst(), rest)
    }
}
