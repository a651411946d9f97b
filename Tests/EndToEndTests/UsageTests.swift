import Foundation
import SettleTesting
import Testing

/// What all commands have in common: help, exit codes, where the database is, limits and secrets.
@Suite struct UsageTests {
    private static let away = ["DATABASE_URL": "postgres://settle@127.0.0.1:1/settle"]

    private func run(_ line: String, _ environment: [String: String] = away) async throws -> Program.Result {
        try await Program(line.split(separator: " ").map(String.init), environment: environment).wait()
    }

    @Test func `help is asked for in several ways, without a database`() async throws {
        let root = try await run("--help")
        #expect(root.exitCode == 0)
        #expect(try await run("help").output == root.output)
        #expect(try await run("").output == root.output)
        #expect(try await run("dlq retry -h").output == run("help dlq retry").output)
    }

    @Test func `the version names the commit where there is one`() async throws {
        let version = try await run("--version").output
        #expect(version.contains(#/^settle \d+\.\d+\.\d+( \([0-9a-f]{7,40}(\+dirty)?\))?\n$/#), "\(version)")
        let root = URL(fileURLWithPath: migrationsDirectory).deletingLastPathComponent().path
        #expect(version.contains("(") == FileManager.default.fileExists(atPath: root + "/.git"))
    }

    @Test(arguments: ["bash", "zsh", "fish"])
    func `completion is a script that names the program`(shell: String) async throws {
        let result = try await run("completion \(shell)")
        #expect(result.exitCode == 0)
        #expect(result.output.contains("settle"))
        if shell == "bash" {
            let check = Process()
            check.executableURL = URL(fileURLWithPath: "/bin/bash")
            check.arguments = ["-n", "-c", result.output]
            try check.run()
            check.waitUntilExit()
            #expect(check.terminationStatus == 0)
        }
    }

    static let mistakes: [(line: String, message: String)] = [
        ("vrify", "unknown command 'vrify'. Did you mean 'verify'? Try 'settle --help'."),
        (
            "dlq",
            "'settle dlq' needs a command: list, show, stats, retry, edit, discard or purge. Try 'settle dlq --help'."
        ),
        ("dlq lst", "unknown command 'lst' for 'dlq'. Did you mean 'list'? Try 'settle dlq --help'."),
        ("retry 1", "unknown command 'retry'. Did you mean 'dlq retry'? Try 'settle --help'."),
        ("help nonsense-of-mine", "unknown command 'nonsense-of-mine'. Try 'settle --help'."),
        ("verify --jsn", "unknown option '--jsn' for 'verify'. Did you mean '--json'? Try 'settle verify --help'."),
        ("version", "unknown command 'version'. Did you mean '--version'? Try 'settle --help'."),
        (
            "worker --intake foo",
            "invalid value 'foo' for '--intake': expected an endpoint such as tcp://127.0.0.1:5558 or "
                + "ipc:///run/settle/intake. Try 'settle worker --help'."
        ),
        (
            "trade list --status PEND",
            "invalid value 'PEND' for '--status': expected PENDING, SETTLED or FAILED. Did you mean 'PENDING'? "
                + "Try 'settle trade list --help'."
        ),
        (
            "dlq purge --older-than 90d",
            "missing option '--reason TEXT' for 'dlq purge'. Try 'settle dlq purge --help'."
        ),
        (
            "verify -o yaml",
            "invalid value 'yaml' for '--output': expected text, json or jsonl. Try 'settle verify --help'."
        ),
        ("verify --json -o text", "'--json' contradicts '-o text'. Try 'settle verify --help'."),
        (
            "completion tcsh",
            "invalid value 'tcsh' for 'SHELL': expected bash, zsh or fish. Try 'settle completion --help'."
        ),
        (
            "worker --once --intake tcp://127.0.0.1:5558",
            "'--once' takes what is PENDING; it goes without '--intake'. Try 'settle worker --help'."
        ),
        (
            "worker --concurrency 1001",
            "'--concurrency' is a whole number from 1 to 1000, not 1001. Try 'settle worker --help'."
        ),
        ("worker --batch 0", "'--batch' is a whole number from 1 to 10000, not 0. Try 'settle worker --help'."),
        ("worker --shutdown-timeout 2d", "'--shutdown-timeout' is at most 24h, not 2d. Try 'settle worker --help'."),
    ]

    @Test(arguments: mistakes)
    func `a mistyped line is one line of advice and exit 64`(line: String, message: String) async throws {
        let result = try await run(line)
        #expect(result.exitCode == 64)
        #expect(result.errors == "settle: \(message)\n")
        #expect(result.output == "")
    }

    @Test func `arguments of any length and kind end in an error, not a crash`() async throws {
        let long = String(repeating: "9", count: 100_000)
        for words in [
            ["deposit", long, "1", "USDT", "--id", "k"], ["deposit", "a", long, "USDT", "--id", "k"],
            ["trade", "list", "--limit", long], ["trade", "list", "--since", long + "d"], [long], ["--" + long],
            ["balance", "\u{1B}]0;title\u{07}"], ["\u{1B}[2J"], ["dlq", "show", "\u{202E}1"], ["up", "--rate", long],
        ] {
            let result = try await Program(words, environment: Self.away).wait()
            #expect(result.exitCode == 64, "\(words[0].prefix(20)): \(result.errors.prefix(200))")
            #expect(!result.errors.unicodeScalars.contains { "\u{1B}\u{07}\u{202E}".unicodeScalars.contains($0) })
            #expect(result.errors.split(separator: "\n").count == 1)
        }
    }

    @Test func `the flag goes before the variable, and the variable before libpq's`() async throws {
        let database = try TestDatabase()
        let words = ["verify", "--database-url", database.connectionString]
        #expect(try await Program(words, environment: Self.away).wait().exitCode == 0)
        let other = ["PGHOST": "127.0.0.1", "PGPORT": "2"]
        #expect(try await run("verify", Self.away.merging(other) { $1 }).errors.contains("127.0.0.1:1 "))
        #expect(try await run("verify", other).errors.contains("127.0.0.1:2 "))
    }

    @Test(arguments: [
        ("postgres://u:s3cr3t@127.0.0.1:1/d", 69), ("postgres://u:s3@s3cr3t@127.0.0.1:1/d", 64),
        ("postgres://u:s3/s3cr3t@127.0.0.1:1/d", 64), ("postgres://u:12/s3cr3t@127.0.0.1:1/d", 64),
        ("postgress://u:s3cr3t@127.0.0.1:1/d", 64), ("postgress://u:s3cr3t@127.0.0.1:1/d?x=y", 64),
        ("postgres://u:s3cr3t%@127.0.0.1:1/d", 64), ("postgres://u:s3cr3t@127.0.0.1:1/d?s3cr3t=x", 64),
        ("postgres://u:s3cr3t@[127.0.0.1:1/d", 64), ("host=127.0.0.1 port=1 password=s3cr3t", 69),
        ("host=127.0.0.1 port=1 password='s3cr3t", 64), ("host=127.0.0.1 port=s3cr3t", 64),
        ("postgres://u:s3cr3t@127.0.0.1:1/d?sslmode=bogus", 69), ("postgres://u:s3cr3t@nowhere.invalid/d", 69),
    ])
    func `a password is never shown, however the URL is written`(url: String, code: Int32) async throws {
        for words in [
            ["verify", "--verbose", "--database-url", url], ["asset", "list", "-v", "--database-url=" + url],
            ["verify", "--databas-url=" + url], ["worker", "--once", "--log-level", "debug", "--database-url", url],
        ] {
            let result = try await Program(words).wait()
            #expect(result.exitCode == (words[1].contains("databas-") ? 64 : code), "\(result.errors)")
            #expect(!result.errors.contains("s3cr3t") && !result.output.contains("s3cr3t"), "\(result.errors)")
        }
    }

    @Test func `a password is in no log of a worker`() async throws {
        let database = try TestDatabase()
        try await database.fund()
        _ = try await database.typing("trade submit", input: tradeLine("1") + tradeLine("2", buyer: "carol"))
        let result = try await database.typing(
            "worker --once --log-level debug", ["DATABASE_URL": database.connectionString + " password=s3cr3t"])
        #expect(result.exitCode == 0)
        #expect(result.errors.contains("level=info"))
        #expect(!result.errors.contains("s3cr3t"))
        #expect(result.output == "")
        #expect(try database.violations() == [])
    }

    @Test(arguments: [
        ("SETTLE_QUEUE_CAPACITY", "0", "1 to 1000000"), ("SETTLE_WORKER_COUNT", "1001", "1 to 1000"),
        ("SETTLE_BATCH_SIZE_MAX", "many", "1 to 10000"), ("SETTLE_CONNECTION_COUNT", "-1", "1 to 1000"),
        ("SETTLE_CONNECT_TIMEOUT_SECONDS", "1.5", "1 to 600"),
        ("SETTLE_STATEMENT_TIMEOUT_MILLISECONDS", "99999999999999999999", "100 to 3600000"),
        ("SETTLE_SHUTDOWN_TIMEOUT_SECONDS", "\u{1B}[2J", "0 to 86400"),
    ])
    func `a bad limit names its variable and range`(name: String, value: String, range: String) async throws {
        for line in ["worker --once", "verify"] {
            let result = try await run(line, Self.away.merging([name: value]) { $1 })
            #expect(result.exitCode == 64)
            #expect(result.errors.hasPrefix("settle: \(name): expected a whole number from \(range), found '"))
            #expect(!result.errors.contains("\u{1B}"))
        }
        #expect(try await run("verify", Self.away.merging([name: ""]) { $1 }).exitCode == 69)
    }

    @Test func `piped output has no colour but where it is asked for, and a closed pipe is no error`() async throws {
        let database = try TestDatabase()
        try database.addMarket()
        #expect(try await !database.expecting("asset list").contains("\u{1B}"))
        #expect(try await database.expecting("asset list --color always").contains("\u{1B}[1m"))
        #expect(try await !database.typing("asset list", ["NO_COLOR": "1"]).output.contains("\u{1B}"))
        let shell = Process()
        shell.executableURL = URL(fileURLWithPath: "/bin/bash")
        shell.arguments = ["-c", "set -o pipefail; \"$0\" migrate sql --all | head -c 1 >/dev/null", Program.path]
        shell.environment = ProcessInfo.processInfo.environment.merging(["SETTLE_MIGRATIONS": migrationsDirectory]) {
            $1
        }
        try shell.run()
        shell.waitUntilExit()
        #expect(shell.terminationStatus == 0)
    }
}
