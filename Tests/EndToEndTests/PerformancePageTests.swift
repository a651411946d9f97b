import Foundation
import SettleTesting
import Testing

extension Benchmarks {
    /// The plots and tables of the page on performance are made from what the benchmark writes.
    @Suite(.timeLimit(.minutes(10))) struct PerformancePageTests {
        private static let script = URL(fileURLWithPath: migrationsDirectory).deletingLastPathComponent()
            .appendingPathComponent("scripts/performance-page").path
        private static let hasPython = ["/usr/bin/python3", "/usr/local/bin/python3"]
            .contains { FileManager.default.isExecutableFile(atPath: $0) }

        @Test(.enabled(if: hasPython, "python3 is needed")) func `a run becomes tables and plots`() async throws {
            // given: one run that has something for each table
            let database = try TestDatabase()
            let folder = FileManager.default.temporaryDirectory.appendingPathComponent("settle-page-\(UUID())")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(at: folder) }
            let run = try await Program(
                [
                    "bench", "--yes", "--trades", "300", "--accounts", "50", "--rounds", "1", "--rate", "20%,50%",
                    "--unfundable", "1", "--prefill", "0,2000", "--compare", "naive", "-o", "jsonl",
                ], environment: ["DATABASE_URL": database.connectionString]
            ).wait(timeout: .seconds(120))
            try #require(run.exitCode == 0, "\(run.errors)")
            for name in ["skews", "mixed", "rates", "processes", "age", "batch-100", "batch-500"] {
                try run.output.write(
                    to: folder.appendingPathComponent("\(name).jsonl"), atomically: true, encoding: .utf8)
            }

            // when
            let page = try await Program(
                executable: "/usr/bin/env", ["python3", Self.script, folder.path],
                wholeEnvironment: ["PATH": "/usr/local/bin:/usr/bin:/bin"], directory: folder.path
            ).wait(timeout: .seconds(60))

            // then
            #expect(page.exitCode == 0, "\(page.errors)")
            let places = try String(
                contentsOfFile: URL(fileURLWithPath: migrationsDirectory).deletingLastPathComponent()
                    .appendingPathComponent("docs/performance.md").path, encoding: .utf8
            ).matches(of: #/<!-- measured: (\w+) -->/#).map { String($0.1) }
            #expect(places.count > 8)
            for place in places { #expect(page.output.contains("\(place)\n\n"), "\(place)") }
            for plot in ["rates", "batches", "age"] {
                let text = try String(
                    contentsOf: folder.appendingPathComponent("performance-\(plot).svg"), encoding: .utf8)
                #expect(text.hasPrefix("<svg") && text.contains("polyline") && text.contains("a second"), "\(plot)")
            }
        }
    }
}
