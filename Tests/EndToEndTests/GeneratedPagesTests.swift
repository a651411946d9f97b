import Foundation
import SettleTesting
import Testing

@testable import settle

/// The documents that the program writes.
@Suite struct GeneratedPagesTests {
    private static let checkout = URL(fileURLWithPath: migrationsDirectory).deletingLastPathComponent().path

    @Test func `each page is what the program would write`() throws {
        for (name, text) in GenerateDocs.pages {
            let page = try String(contentsOfFile: "\(Self.checkout)/\(name)", encoding: .utf8)
            #expect(page == text, "\(name) is out of date: make docs")
        }
    }

    @Test func `the command writes them, and is told of by nothing`() async throws {
        try await withFolder { folder in
            for part in ["config", "docs"] {
                try FileManager.default.createDirectory(atPath: "\(folder)/\(part)", withIntermediateDirectories: true)
            }
            #expect(try await Program.run("generate-docs", folder).exitCode == 0)
            for (name, text) in GenerateDocs.pages {
                #expect(try String(contentsOfFile: "\(folder)/\(name)", encoding: .utf8) == text)
            }
            let nowhere = try await Program.run("generate-docs", folder + "/none")
            #expect(nowhere.exitCode == 1)
            #expect(nowhere.errors.hasPrefix("settle: cannot write "))
        }
        #expect(try await !Program.run("--help").output.contains("generate-docs"))
        #expect(try await !Program.run("__complete", "").output.contains("generate-docs"))
        #expect(!GenerateDocs.pages.values.contains { $0.contains("generate-docs") })
        #expect(
            try await Program.run("generate-doc").errors
                == "settle: unknown command 'generate-doc'. Try 'settle --help'.\n")
        #expect(try await Program.run("generate-docs", "--help").output.contains("Usage: settle generate-docs FOLDER"))
    }
}
