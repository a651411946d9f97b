import EmbeddedPostgres
import Foundation
import Repository
import SettleTesting
import Testing

extension Processes {
    /// The program with a PostgreSQL of its own in `.settle/`, as on a machine where nothing is set up.
    @Suite(.timeLimit(.minutes(5))) struct PrivateServerTests {
        @Test func `two commands at once in a fresh directory get one migrated database`() async throws {
            let directory = try FreshDirectory()
            let first = try Program(["asset", "add", "BTC", "--decimals", "8"], directory: directory.path)
            let second = try Program(["asset", "add", "USDT", "--decimals", "6"], directory: directory.path)
            for program in [first, second] {
                let result = await program.wait()
                #expect(result.exitCode == 0, "\(result.errors)")
            }
            let list = try await Program.run("asset", "list", "--json", directory: directory.path)
            #expect(list.output.contains("BTC") && list.output.contains("USDT"))
            let status = try await Program.run("migrate", "status", directory: directory.path)
            #expect(status.exitCode == 0, "\(status.errors)")
            #expect(!status.output.lowercased().contains("pending"), "\(status.output)")
            #expect(try await Program.run("verify", directory: directory.path).exitCode == 0)
        }

        @Test func `what reads or moves money makes no database where none is`() async throws {
            let directory = try FreshDirectory()
            for line in [
                "balance alice", "trade list", "verify", "queue status", "market list", "deposit alice 1 BTC --id d",
                "trade submit", "dlq list", "migrate status", "asset add BTC --decimals 8 --dry-run",
                "migrate up --dry-run",
            ] {
                let result = try await Program(
                    line.split(separator: " ").map(String.init), directory: directory.path
                ).wait()
                #expect(result.exitCode == 69, "\(line)")
                #expect(
                    result.errors
                        == "settle: no database is named, and there is none in .settle/ here. Name one with "
                        + "--database-url or DATABASE_URL, or make one here: 'settle migrate up' makes an empty one, "
                        + "'settle up' one with a simulated market.\n")
                #expect(result.output == "")
            }
            #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == [])
            #expect(try await Program.run("migrate", "up", directory: directory.path).exitCode == 0)
            #expect(try await Program.run("market", "list", directory: directory.path).exitCode == 0)
        }

        @Test func `up adds nothing to books with accounts of others unless that is meant`() async throws {
            let directory = try FreshDirectory()
            for line in ["asset add EUR --decimals 2", "deposit alice 100.00 EUR --id d1"] {
                let words = line.split(separator: " ").map(String.init)
                #expect(try await Program(words, directory: directory.path).wait().exitCode == 0)
            }
            let refused = try await Program.run("up", "--trades", "50", directory: directory.path)
            #expect(refused.exitCode == 64)
            #expect(refused.errors.hasPrefix("settle: this database holds accounts that are not simulated. "))
            #expect(try await Program.run("market", "list", "--json", directory: directory.path).output == "[]\n")
            let meant = try await Program.run("up", "--trades", "50", "--yes", directory: directory.path)
            #expect(meant.exitCode == 0, "\(meant.errors)")
            let balance = try await Program.run("balance", "alice", "-o", "jsonl", directory: directory.path)
            #expect(balance.output.contains(#""available":"100.00""#))
        }

        @Test func `a command does not wait for others who use the private server`() async throws {
            let directory = try FreshDirectory()
            let worker = try Program(["worker"], directory: directory.path)
            #expect(await worker.waitFor("worker started"))
            #expect(try await Program.run("asset", "list", directory: directory.path).exitCode == 0)
            #expect(worker.isRunning)
            #expect(await worker.stop().exitCode == 0)
            #expect(directory.serverProcess() == nil, "the last user leaves a stopped server")
        }

        @Test func `up verifies and ends by itself after its time`() async throws {
            let directory = try FreshDirectory()
            let result = try await Program.run("up", "--for", "500ms", "--rate", "200/s", directory: directory.path)
            #expect(result.exitCode == 0, "\(result.errors)")
            #expect(result.output.contains("left 0\n"))
            #expect(result.output.contains("The books balance"))
            #expect(result.output.contains("The engine agrees: 300 balances of 100 accounts"))
            #expect(directory.serverProcess() == nil)
        }

        @Test func `what up proposes at its end is then done, with no worker running`() async throws {
            let directory = try FreshDirectory()
            let up = try Program(["up", "--rate", "200/s"], directory: directory.path)
            try await eventually("a trade was parked, and others were settled") {
                up.outputSoFar.contains(#/settled [1-9].*  dead letters [1-9]/#)
            }
            let result = await up.stop()
            #expect(result.exitCode == 0, "\(result.errors)")
            let proposals = result.lines.compactMap {
                $0.firstMatch(of: #/^  \S*settle ((?:dlq|account) .+)$/#)?.output.1
            }
            #expect(
                proposals.map { $0.split(separator: " ")[0] } == ["dlq", "account", "dlq", "dlq"], "\(result.output)")
            for proposal in proposals {
                let done = try await Program(
                    proposal.split(separator: " ").map(String.init), directory: directory.path
                ).wait()
                #expect(done.exitCode == 0, "\(proposal): \(done.errors)")
                if proposal.hasPrefix("dlq retry") {
                    #expect(done.output.hasPrefix("1 retried: 1 settled"), "\(done.output)")
                }
            }
            let verified = try await Program.run("verify", directory: directory.path)
            #expect(verified.exitCode == 0, "\(verified.output)")
        }

        @Test(arguments: [SIGINT, SIGTERM]) func `up drains, verifies and ends well on a signal`(
            _ signal: Int32
        ) async throws {
            let directory = try FreshDirectory()
            let up = try Program(["up", "--rate", "1000/s"], directory: directory.path)
            #expect(await up.waitFor("rate"))
            up.signal(signal)
            let result = await up.wait()
            #expect(result.exitCode == 0 && !result.wasKilled, "\(result.errors)")
            #expect(result.output.contains("left 0\n"), "\(result.output)")
            #expect(result.output.contains("The books balance"))
            #expect(directory.serverProcess() == nil)
        }

        @Test func `up makes as many trades as it is told`() async throws {
            let directory = try FreshDirectory()
            let result = try await Program.run(
                "up", "--trades", "500", "--rate", "2000/s", "--json", directory: directory.path)
            #expect(result.exitCode == 0, "\(result.errors)")
            let totals = try #require(
                result.output.firstMatch(of: /"settled": ?(\d+),\s*"parked": ?(\d+),\s*"left": ?0/))
            #expect(totals.output.1 == "500" && totals.output.2 == "5", "\(result.output)")
            #expect(result.output.contains(#/"balances": 300,\s*"differences": 0\s/#))
            #expect(try JSONSerialization.jsonObject(with: Data(result.output.utf8)) is [String: Any])
            #expect(try await Program.run("verify", directory: directory.path).exitCode == 0)
        }

        @Test func `up writes one JSON document at its end, or one a second as jsonl, with latencies as numbers`()
            async throws
        {
            let directory = try FreshDirectory()
            let document = try Program(["up", "--json"], directory: directory.path)
            try await eventually("it says how far it is") {
                document.errorsSoFar.contains(#/\nsettled \d+  rate \d+/s  p50 /#)
            }
            let one = await document.stop()
            #expect(one.exitCode == 0, "\(one.errors)")
            #expect(try JSONSerialization.jsonObject(with: Data(one.output.utf8)) is [String: Any])
            let seconds = try Program(["up", "-o", "jsonl"], directory: directory.path)
            try await eventually("a second is told") { seconds.outputSoFar.contains("\n") }
            let lines = await seconds.stop().lines
            #expect(lines.first?.contains(#/"p50_ms":(\d+\.\d|null),"p99_ms":(\d+\.\d|null),/#) == true, "\(lines)")
            #expect(lines.last?.contains(#""verify":"#) == true)
        }

        @Test func `a killed program leaves no server behind, and nothing half done`() async throws {
            let directory = try FreshDirectory()
            let up = try Program(["up", "--rate", "1000/s"], directory: directory.path)
            #expect(await up.waitFor("rate"))
            let server = try #require(directory.serverProcess())
            up.signal(SIGKILL)
            _ = await up.wait()
            try await eventually("the server has stopped") { kill(server, 0) != 0 }
            let verified = try await Program.run("verify", directory: directory.path)
            #expect(verified.exitCode == 0, "\(verified.output)")
        }

        @Test(.enabled("needs root, to hide the server's programs from one process") { await canHideDirectories.value })
        func `without PostgreSQL one line says which package to install`() async throws {
            let directory = try FreshDirectory()
            let config = directory.path + "/pg_config"
            try "#!/bin/sh\necho \(directory.path)/nothing\n".write(toFile: config, atomically: true, encoding: .utf8)
            chmod(config, 0o755)
            let result = try await hidingServerPrograms(
                "cd '\(directory.path)' && PATH='\(directory.path)' exec '\(Program.path)' migrate up")
            #expect(result.exitCode == 69)
            #expect(
                result.output
                    == "settle: PostgreSQL's server programs are not installed. Install Debian's package 'postgresql': "
                    + "sudo apt-get install postgresql\n")
        }
    }
}

/// Whether this process may give a child a view of the file system of its own.
private let canHideDirectories = Task { (try? await hidingServerPrograms("exit 0").exitCode) == 0 }

/// Runs a script for which the directory of Debian's server programs is empty; its output is both streams.
private func hidingServerPrograms(_ script: String) async throws -> Program.Result {
    try await Program(
        executable: "/usr/bin/unshare",
        ["-m", "/bin/sh", "-c", "mount -t tmpfs none /usr/lib/postgresql && (\(script)) 2>&1"], wholeEnvironment: [:]
    ).wait()
}

/// A directory of a test's own, with the private server that may run for it.
final class FreshDirectory: Sendable {
    let path: String

    init() throws {
        path =
            FileManager.default.temporaryDirectory
            .appendingPathComponent("settle-program-\(UUID().uuidString.prefix(8))").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: home)
        try? FileManager.default.removeItem(atPath: path)
    }

    /// What the books in the private server of the folder violate.
    func violations() throws -> [String] {
        let cluster = try EmbeddedCluster.acquire(directory: path + "/.settle")
        defer { cluster.release() }
        return try TestDatabase(name: EmbeddedCluster.name, connectionString: cluster.connectionString).violations()
    }

    /// Where the server's data lie: root's are elsewhere.
    private var home: String {
        let noted = try? String(contentsOfFile: path + "/.settle/postgres.location", encoding: .utf8)
        return noted?.trimmingCharacters(in: .newlines) ?? path + "/.settle/postgres"
    }

    /// The number of the server's process; nil when none runs.
    func serverProcess() -> pid_t? {
        guard let file = try? String(contentsOfFile: home + "/data/postmaster.pid", encoding: .utf8),
            let number = file.split(separator: "\n").first.flatMap({ pid_t($0) }), kill(number, 0) == 0
        else { return nil }
        return number
    }
}
