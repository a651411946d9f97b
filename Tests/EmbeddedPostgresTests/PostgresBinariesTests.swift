import Foundation
import Testing

@testable import EmbeddedPostgres

@Suite struct PostgresBinariesTests {
    @Test func `this machine's programs are found`() throws {
        let binaries = try PostgresBinaries.find()
        #expect(try PostgresBinaries.first(of: [binaries.directory]) == binaries)
    }

    @Test func `a missing PostgreSQL is one line that names the package and the command`() throws {
        let error = #expect(throws: EmbeddedPostgresError.binariesMissing) {
            try PostgresBinaries.first(of: ["", "bin", "/bin", "/nonexistent"])
        }
        let line = try #require(error).description
        #expect(line.contains("apt-get install postgresql"))
        #expect(!line.contains("\n"))
    }

    @Test func `the newest version counts, by number`() throws {
        let directory = try TestDirectory()
        for version in ["9.6", "15", "17", "common"] {
            try FileManager.default.createDirectory(
                atPath: "\(directory.path)/\(version)/bin", withIntermediateDirectories: true)
        }
        #expect(
            PostgresBinaries.newestFirst(under: directory.path)
                == ["17", "15", "9.6"].map { "\(directory.path)/\($0)/bin" })
    }
}
