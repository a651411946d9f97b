import Foundation
import SettleTesting
import Testing

private let root = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path

/// A file of the project, by its path from the top.
private struct ProjectFile {
    let path: String
    let text: String

    var lines: [Substring] { text.split(separator: "\n", omittingEmptySubsequences: false) }

    /// `Repository` of `Sources/Repository/Trades.swift`.
    var module: String { String(path.split(separator: "/")[1]) }

    var imports: [String] {
        text.matches(of: #/(?m)^(?:@\w+ )?import (\w+)/#).map { String($0.1) }
    }

    /// What the compiler reads: the lines without comments.
    var code: String {
        lines.map { line in line.firstRange(of: "//").map { line[..<$0.lowerBound] } ?? line }.joined(separator: "\n")
    }

    static func all(in folders: String..., suffixes: String...) throws -> [ProjectFile] {
        try folders.flatMap { folder in
            try (FileManager.default.subpathsOfDirectory(atPath: "\(root)/\(folder)")).sorted()
                .filter { path in suffixes.contains { path.hasSuffix($0) } }
                .map {
                    ProjectFile(
                        path: "\(folder)/\($0)",
                        text: try String(contentsOfFile: "\(root)/\(folder)/\($0)", encoding: .utf8))
                }
        }
    }

    static func named(_ path: String) throws -> ProjectFile? {
        guard FileManager.default.fileExists(atPath: "\(root)/\(path)") else { return nil }
        return ProjectFile(path: path, text: try String(contentsOfFile: "\(root)/\(path)", encoding: .utf8))
    }
}

/// Style where a program can judge it: what is imported where, where money and SQL stand, what is not left lying about.
@Suite struct TidyTests {
    /// C ends in these files: whatever else wants it, wants one of them.
    private static let wrappers = [
        "CCrypto": ["Sources/AuditTrail/SHA256.swift"],
        "CMemory": ["Sources/TradeEngine/Memory.swift"],
        "CPostgres": [
            "Sources/Repository/ConnectionString.swift", "Sources/Repository/PostgresConnection.swift",
            "Sources/Repository/Rows.swift",
        ],
        "CXXHash": ["Sources/HashChain/HashChain.swift", "Sources/Repository/Migrations.swift"],
        "CYaml": ["Sources/Configuration/YAMLEvents.swift"],
        "CZeroMQ": ["Sources/TradeFeed/ZeroMQSocket.swift"],
    ]

    @Test func `only the wrapping files import a C library`() throws {
        for file in try ProjectFile.all(in: "Sources", "Tests", suffixes: ".swift") {
            for library in file.imports {
                guard let allowed = Self.wrappers[library] else { continue }
                #expect(allowed.contains(file.path), "\(file.path) imports \(library)")
            }
        }
    }

    @Test func `a module imports only what stands above it in the manifest`() throws {
        let manifest = try #require(try ProjectFile.named("Package.swift"))
        let modules = manifest.text.matches(of: #/(?:module\(\s*"|executableTarget\(\s*name: ")(\w+)"/#).map {
            String($0.1)
        }
        #expect(modules.first == "TradeModel" && modules.last == "settle", "\(modules)")
        for file in try ProjectFile.all(in: "Sources", suffixes: ".swift") {
            let place = try #require(modules.firstIndex(of: file.module), "\(file.path) belongs to no module")
            for imported in file.imports {
                guard let other = modules.firstIndex(of: imported) else { continue }
                #expect(other < place, "\(file.path) imports \(imported), which stands below it")
            }
        }
    }

    @Test func `money is never a floating-point number or a Decimal`() throws {
        let inexact = #/\b(Double|Float|Float16|Float32|Float64|Float80|CGFloat|Decimal|NSDecimalNumber)\b/#
        for file in try ProjectFile.all(
            in: "Sources/TradeModel", "Sources/WalletClient", "Sources/Repository", suffixes: ".swift")
        {
            #expect(!file.code.contains(inexact), "\(file.path)")
        }
    }

    @Test func `tables are made and changed in migrations alone`() throws {
        let definition = #/(?i)\b(create|alter|drop)\s+(table|index|type|view|function|trigger|sequence)\b/#
        // What the doctor writes is advice for people; it runs none of it. What the benchmark compares with are other
        // programs, which bring their own tables.
        for file in try ProjectFile.all(in: "Sources", suffixes: ".swift")
        where !file.path.hasPrefix("Sources/settle/Doctor/") && file.module != "Benchmark" {
            #expect(!file.code.contains(definition), "\(file.path)")
        }
    }

    @Test func `SQL stands in the repository`() throws {
        let statement = #/\b(insert into|delete from|update \w+ set|from \w+ where) /#
        for file in try ProjectFile.all(in: "Sources", suffixes: ".swift")
        where !["Repository", "Benchmark"].contains(file.module) {
            #expect(!file.code.contains(statement), "\(file.path)")
        }
    }

    @Test func `advisory locks have names, so that no two uses share a number`() throws {
        for file in try ProjectFile.all(in: "Sources", suffixes: ".swift") {
            #expect(!file.code.contains(#/pg_\w*advisory\w*\(\d/#), "\(file.path)")
        }
    }

    @Test func `nothing is left for later, and no machine is named`() throws {
        let later = try Regex("\\b(TO" + "DO|FIX" + "ME|X" + "XX)\\b")
        let personal = try Regex("(/ho" + "me/|/wo" + "rk/|/tm" + "p/wt|/Us" + "ers/)\\w")
        var files = try ProjectFile.all(
            in: "Sources", "Tests", "migrations", "docs", "scripts", suffixes: ".swift", ".sql", ".md", ".h", "map",
            "packages", ".sh")
        for path in ["Package.swift", "README.md", "CONTRIBUTING.md", "Makefile", ".ci/run"] {
            if let file = try ProjectFile.named(path) { files.append(file) }
        }
        #expect(files.count > 100)
        for file in files {
            #expect(!file.text.contains(later), "\(file.path)")
            #expect(!file.text.contains(personal), "\(file.path)")
        }
    }

    @Test func `no line is wider than a screen`() throws {
        // What goes on in the next line of a text ends in a backslash, which is not counted. In tests stands what
        // programs print, as it is; the formatter sees to the code around it.
        for file in try ProjectFile.all(in: "Sources", "Tests", "migrations", suffixes: ".swift", ".sql") {
            for (index, line) in file.lines.enumerated() {
                let counts = !file.path.hasPrefix("Tests/") || line.contains(#/^ *\/\//#)
                let width = line.hasSuffix(" \\") ? line.count - 2 : line.count
                #expect(!counts || width <= 120, "\(file.path):\(index + 1) has \(width) columns")
            }
        }
    }

    @Test func `every migration has its way back`() throws {
        let names = Set(try FileManager.default.contentsOfDirectory(atPath: root + "/migrations"))
        let ups = names.filter { $0.hasSuffix(".up.sql") }
        #expect(!ups.isEmpty)
        #expect(names == ups.union(ups.map { $0.dropLast(".up.sql".count) + ".down.sql" }))
    }

    /// The commands that the documents tell a reader to type, in blocks of shell and between backquotes.
    private func documentedCommands() throws -> [(path: String, words: [String])] {
        var documents = try ProjectFile.all(in: "docs", suffixes: ".md")
        for path in ["README.md", "CONTRIBUTING.md"] {
            if let document = try ProjectFile.named(path) { documents.append(document) }
        }
        return documents.flatMap { document in
            document.text.matches(of: #/(?m)(?:^|`|\$ |\| )settle((?: [a-z]+)+)/#).map { match in
                (document.path, match.1.split(separator: " ").map(String.init))
            }
        }
    }

    @Test func `every command of the documents exists in the program`() async throws {
        // Most are named again and again.
        var answers: [[String]: Program.Result] = [:]
        func help(_ words: [String]) async throws -> Program.Result {
            if let answer = answers[words] { return answer }
            let answer = try await Program(["help"] + words).wait()
            answers[words] = answer
            return answer
        }
        let commands = try documentedCommands()
        #expect(!commands.isEmpty)
        for (path, words) in commands {
            // Of `settle deposit alice` only the first word is a command; of `settle dlq retry`, both are.
            let above = try await help([words[0]])
            #expect(above.exitCode == 0, "\(path): settle \(words[0])")
            guard words.count > 1, above.output.contains("Usage: settle \(words[0]) COMMAND") else { continue }
            #expect(
                try await help(Array(words.prefix(2))).exitCode == 0, "\(path): settle \(words[0]) \(words[1])")
        }
    }
}
