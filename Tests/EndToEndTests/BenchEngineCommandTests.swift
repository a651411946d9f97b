import Foundation
import SettleTesting
import Testing

/// `settle bench engine` with small numbers. It needs no database.
@Suite(.timeLimit(.minutes(10))) struct BenchEngineCommandTests {
    private func bench(_ line: String) async throws -> Program.Result {
        try await Program(["bench", "engine"] + line.split(separator: " ").map(String.init)).wait(
            timeout: .seconds(120))
    }

    @Test func `a script gets the rate, the latencies and the hash of each depth`() async throws {
        let line = "--commands 2k --accounts 20 --depth 100,300 --rounds 2 --seed 7 --way core -o json"
        var hashes: [[String]] = []
        for _ in 0..<2 {
            let result = try await bench(line)
            #expect(result.exitCode == 0, "\(result.errors)")
            let figures = try #require(
                try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any])
            #expect((figures["commands_per_second"] as? Double ?? 0) > 0)
            #expect(figures["commands"] as? Int == 2_000)
            #expect(figures["seed"] as? String == "7")
            let latencies = try #require(figures["latency_ns"] as? [String: Int])
            #expect(try #require(latencies["p50"]) <= #require(latencies["p99"]))
            #expect(try #require(latencies["p99"]) <= #require(latencies["p999"]))
            let depths = try #require(figures["depths"] as? [[String: Any]])
            #expect(depths.map { $0["open_orders"] as? Int } == [100, 300])
            #expect(depths.allSatisfy { ($0["trades"] as? Int ?? 0) > 100 })
            #expect(depths.allSatisfy { $0["rejected"] as? Int == 0 })
            hashes.append(depths.compactMap { $0["hash"] as? String })
        }
        // The same seed makes the same records.
        #expect(hashes[0] == hashes[1])
        #expect(Set(hashes[0]).count == 2 && hashes[0].allSatisfy { $0.count == 16 })
    }

    @Test func `a person gets a table`() async throws {
        let result = try await bench("--commands 1k --accounts 10 --depth 50 --rounds 1 --folder /tmp")
        #expect(result.exitCode == 0, "\(result.errors)")
        #expect(result.lines.first?.contains("COMMANDS/S") == true)
        #expect(result.lines.contains { $0.hasPrefix("memory") } && result.lines.contains { $0.hasPrefix("log") })
        #expect(result.output.contains("1,000 commands in each of 1 round, seed 1"))
    }

    @Test func `the whole way is measured without a log and with one, which leaves nothing behind`() async throws {
        let folder = FileManager.default.temporaryDirectory.path + "/settle-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let line = "--commands 5k --accounts 20 --depth 100 --rounds 2 --way memory,log --folder \(folder) -o json"
        let result = try await bench(line)
        #expect(result.exitCode == 0, "\(result.errors)")
        let figures = try #require(try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any])
        let ways = try #require(figures["ways"] as? [[String: Any]])
        #expect(ways.map { $0["way"] as? String } == ["memory", "log"])
        for way in ways {
            #expect((way["commands_per_second"] as? Double ?? 0) > 0)
            let latencies = try #require(way["latency_ns"] as? [String: Int])
            #expect(try 0 < #require(latencies["p50"]) && #require(latencies["p50"]) <= #require(latencies["p999"]))
        }
        #expect(((figures["ratio"] as? [String: Double])?["log"] ?? 0) > 0)
        #expect((figures["depths"] as? [Any])?.isEmpty == true)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == [])
    }

    @Test(arguments: [
        ("--folder /dev/null --way log", "the engine cannot be run: cannot make the folder /dev/null/"),
        ("--way disk", "'--way'"),
        ("--depth 0", "'--depth' is a whole number from 1 to 5000000, not 0"),
        ("--accounts 1", "'--accounts' is a whole number from 2 to 1000000, not 1"),
        ("--commands 0", "'--commands' is a whole number from 1 to 50000000, not 0"),
        ("--dept 5", "Did you mean '--depth'?"),
    ])
    func `a mistyped option is one line of advice`(line: String, message: String) async throws {
        let result = try await bench(line)
        #expect(result.exitCode == (line.contains("/dev/null") ? 1 : 64))
        #expect(result.errors.contains(message), "\(result.errors)")
        #expect(result.errors.split(separator: "\n").count == 1)
    }

    @Test func `bench runs by itself, and its help names what stands under it`() async throws {
        let help = try await Program.run("help", "bench")
        #expect(help.output.contains("Usage: settle bench [options]"))
        #expect(help.output.contains("engine"))
        let engine = try await Program.run("bench", "engine", "--help")
        #expect(engine.output.contains("Usage: settle bench engine [options]"))
        #expect(try await Program.run("__complete", "bench", "e").output.hasPrefix("engine\t"))
    }
}
