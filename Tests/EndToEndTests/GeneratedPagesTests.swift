import Foundation
import SettleTesting
import Testing

@testable import settle

/// The pages of `docs/` that the program writes.
@Suite struct GeneratedPagesTests {
    private static let docs = URL(fileURLWithPath: migrationsDirectory).deletingLastPathComponent().path + "/docs"

    @Test func `each page is what the program would write`() throws {
        for (name, text) in GenerateDocs.pages {
            let page = try String(contentsOfFile: "\(Self.docs)/\(name)", encoding: .utf8)
            #expect(page == text, "docs/\(name) is out of date: make docs")
        }
    }

    @Test func `the command writes them, and is told of by nothing`() async throws {
        try await withFolder { folder in
            #expect(try await Program.run("generate-docs", folder).exitCode == 0)
            #expect(
                try FileManager.default.contentsOfDirectory(atPath: folder).sorted() == GenerateDocs.pages.keys.sorted()
            )
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
