import Foundation
import SettleTesting
import ServiceKit
import Testing

@testable import settle

/// A folder of its own, in which commands find what is put there, and which goes away with the test.
final class ConfigurationFolder: Sendable {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("settle-\(UUID())").path

    init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// Whole at any moment, as an editor or a deployment replaces a file.
    func write(_ text: String, to name: String = "settle.yaml") throws {
        try text.write(toFile: "\(path)/\(name)", atomically: true, encoding: .utf8)
    }

    func settle(_ line: String, _ environment: [String: String] = [:]) async throws -> Program.Result {
        try await Program(
            line.split(separator: " ").map(String.init),
            // The tests' own folder of migrations would otherwise stand in each answer.
            environment: environment.merging(["SETTLE_MIGRATIONS": ""]) { own, _ in own }, directory: path
        ).wait()
    }
}

@Suite struct ConfigurationCommandTests {
    private let folder: ConfigurationFolder

    init() throws { folder = try ConfigurationFolder() }

    // MARK: check

    @Test func `a file that is right is said to be, in text and in JSON`() async throws {
        try folder.write("queue:\n  capacity: 5\nlog: {level: debug}\n")
        let text = try await folder.settle("config check", ["SETTLE_BATCH_SIZE_MAX": "7"])
        #expect(text.output == "ok: 2 settings in settle.yaml, 1 setting in the environment\n")
        #expect(text.errors == "" && text.exitCode == 0)
        let json = try await folder.settle("config check -o jsonl")
        #expect(
            json.output == #"{"ok":true,"file":"settle.yaml","settings_in_file":2,"settings_in_environment":0,"#
                + #""problems":[]}"# + "\n")
    }

    @Test func `without a file there is nothing to be wrong`() async throws {
        let result = try await folder.settle("config check")
        #expect(result.output == "ok: no configuration file, 0 settings in the environment\n")
        #expect(result.exitCode == 0)
        let json = try await folder.settle("config check --json")
        #expect(json.output.contains(#""file": null"#))
    }

    @Test func `everything that is wrong is listed, in the file and in the environment`() async throws {
        try folder.write("queue:\n  capcity: 5\nworker:\n  count: 0\n", to: "other.yaml")
        let environment = ["SETTLE_BATCH_SIZE_MAX": "none", "SETTLE_QUEUE_CAPCITY": "5"]
        let text = try await folder.settle("config check other.yaml", environment)
        #expect(
            text.output == """
                other.yaml:2: unknown key 'queue.capcity'. Did you mean 'queue.capacity'?
                other.yaml:4: worker.count: expected a whole number from 1 to 1000, found '0'
                SETTLE_BATCH_SIZE_MAX: expected a whole number from 1 to 10000, found 'none'

                """)
        #expect(
            text.errors == """
                SETTLE_QUEUE_CAPCITY is no setting, and has no effect. Did you mean 'SETTLE_QUEUE_CAPACITY'?
                settle: 3 problems in other.yaml and the environment.

                """)
        #expect(text.exitCode == 64)
        let json = try await folder.settle("config check other.yaml -o jsonl", environment)
        #expect(
            json.output
                == #"{"ok":false,"file":"other.yaml","settings_in_file":0,"settings_in_environment":1,"problems":["#
                + #"{"file":"other.yaml","line":2,"key":"queue.capcity","message":"unknown key 'queue.capcity'","#
                + #""suggestion":"queue.capacity"},"#
                + #"{"file":"other.yaml","line":4,"key":"worker.count","#
                + #""message":"worker.count: expected a whole number from 1 to 1000, found '0'","suggestion":null},"#
                + #"{"file":null,"line":null,"key":"SETTLE_BATCH_SIZE_MAX","#
                + #""message":"SETTLE_BATCH_SIZE_MAX: expected a whole number from 1 to 10000, found 'none'","#
                + #""suggestion":null}]}"# + "\n")
        #expect(json.exitCode == 64)
    }

    @Test func `the shipped sample is right, and changes nothing`() async throws {
        let sample = URL(fileURLWithPath: migrationsDirectory).deletingLastPathComponent().path + "/config/settle.yaml"
        let check = try await folder.settle("config check \(sample)")
        #expect(check.output.hasPrefix("ok: ") && check.exitCode == 0)
        let show = try await folder.settle("config show --changed -o jsonl --config \(sample)")
        for line in show.lines { #expect(line.contains(#""origin":"file""#)) }
        #expect(
            try await folder.settle("config show").lines.count
                == 1 + show.lines.count + Settings.all.count { $0.defaultValue == nil },
            "a heading, and those without a value")
    }

    @Test func `a password that everybody may read is remarked upon`() async throws {
        try folder.write("database: {url: 'postgres://u:geheim@h/db'}\n")
        let manager = FileManager.default
        try manager.setAttributes([.posixPermissions: 0o644], ofItemAtPath: folder.path + "/settle.yaml")
        let open = try await folder.settle("config check")
        #expect(
            open.errors == "settle.yaml holds a password, and everybody on this machine may read it: "
                + "chmod o-r settle.yaml\n")
        #expect(open.exitCode == 0)
        try manager.setAttributes([.posixPermissions: 0o640], ofItemAtPath: folder.path + "/settle.yaml")
        #expect(try await folder.settle("config check").errors == "")
    }

    // MARK: What other commands say of a wrong file

    @Test func `a mistake ends every command with the place, and says how to see the rest`() async throws {
        try folder.write("queue:\n  capcity: 5\n")
        for line in ["config show", "balance alice", "worker --once", "dlq list"] {
            let result = try await folder.settle(line)
            #expect(
                result.errors == "settle: settle.yaml:2: unknown key 'queue.capcity'. Did you mean 'queue.capacity'?\n")
            #expect(result.output == "" && result.exitCode == 64, "\(line)")
        }
        try folder.write("queue:\n  capacity: many\n  bytes_max: 0\nzebra: 1\n")
        #expect(
            try await folder.settle("balance alice").errors
                == "settle: settle.yaml:2: queue.capacity: expected a whole number from 1 to 1000000, found 'many'. "
                + "2 more problems: 'settle config check' lists them.\n")
        #expect(
            try await folder.settle("balance alice --config settle.yaml").errors.hasSuffix(
                "2 more problems: 'settle config check settle.yaml' lists them.\n"))
        for line in ["--help", "help worker", "completion bash", "--version"] {
            #expect(try await folder.settle(line).exitCode == 0, "\(line)")
        }
    }

    @Test func `a file that is named and cannot be read is an error`() async throws {
        let missing = "settle: cannot read the configuration file none.yaml: no such file\n"
        for line in ["config show --config none.yaml", "config check none.yaml", "balance alice --config none.yaml"] {
            let result = try await folder.settle(line)
            #expect(result.errors == missing && result.exitCode == 64, "\(line)")
        }
        #expect(try await folder.settle("config show", ["SETTLE_CONFIG": "none.yaml"]).errors == missing)
        #expect(
            try await folder.settle("config check .").errors
                == "settle: cannot read the configuration file .: it is a folder\n")
    }

    @Test func `what is typed wrong is explained`() async throws {
        let cases = [
            ("config", "'settle config' needs a command: check or show. Try 'settle config --help'."),
            ("config chek", "unknown command 'chek' for 'config'. Did you mean 'check'? Try 'settle config --help'."),
            ("config show --chnged", "unknown option '--chnged' for 'config show'. Did you mean '--changed'?"),
            ("config check a b", "unexpected argument 'b' for 'config check'. Try 'settle config check --help'."),
        ]
        for (line, message) in cases {
            let result = try await folder.settle(line)
            #expect(result.errors.hasPrefix("settle: " + message) && result.exitCode == 64, "\(result.errors)")
        }
    }

    // MARK: show

    @Test func `an endpoint is known by its form`() async throws {
        for good in ["tcp://127.0.0.1:5558", "tcp://*:*", "tcp://[::1]:0", "ipc:///run/settle/intake"] {
            #expect(try await folder.settle("config show --intake \(good)").exitCode == 0, "\(good)")
        }
        for bad in ["foo", "tcp://", "tcp://:5558", "tcp://127.0.0.1", "tcp://127.0.0.1:99999", "ipc://", "http://x:1"]
        {
            let result = try await folder.settle("config show --intake \(bad)")
            #expect(result.exitCode == 64, "\(bad)")
            #expect(result.errors.contains("for '--intake': expected an endpoint such as tcp://127.0.0.1:5558"))
            try folder.write("worker:\n  intake: '\(bad)'\n")
            #expect(try await folder.settle("config check").exitCode == 64, "\(bad)")
            try folder.write("")
        }
    }

    @Test func `every value is shown with where it came from`() async throws {
        try folder.write("queue:\n  capacity: 5\n  bytes_max: 2000000\nworker:\n  count: 4\nlog: {level: debug}\n")
        let environment = [
            "SETTLE_QUEUE_BYTES_MAX": "3000000", "SETTLE_LOG_LEVEL": "warning", "PGHOST": "db.example",
            "PGPASSWORD": "geheim",
        ]
        let text = try await folder.settle("config show --changed --concurrency 6 --log-level error", environment)
        #expect(
            text.output == """
                KEY              VALUE       FROM
                log.level        error       --log-level
                queue.capacity   5           settle.yaml:2
                queue.bytes_max  3000000     SETTLE_QUEUE_BYTES_MAX
                worker.count     6           --concurrency
                -                db.example  PGHOST
                -                ********    PGPASSWORD

                """)
        #expect(text.errors == "" && text.exitCode == 0)
        let json = try await folder.settle("config show --changed -o jsonl", environment)
        #expect(
            json.output == """
                {"key":"log.level","variable":"SETTLE_LOG_LEVEL","value":"warning","origin":"environment",\
                "place":"SETTLE_LOG_LEVEL","default":null,"reloadable":true}
                {"key":"queue.capacity","variable":"SETTLE_QUEUE_CAPACITY","value":"5","origin":"file",\
                "place":"settle.yaml:2","default":"2000","reloadable":false}
                {"key":"queue.bytes_max","variable":"SETTLE_QUEUE_BYTES_MAX","value":"3000000","origin":"environment",\
                "place":"SETTLE_QUEUE_BYTES_MAX","default":"67108864","reloadable":false}
                {"key":"worker.count","variable":"SETTLE_WORKER_COUNT","value":"4","origin":"file",\
                "place":"settle.yaml:5","default":"10","reloadable":false}
                {"key":null,"variable":"PGHOST","value":"db.example","origin":"environment","place":"PGHOST",\
                "default":null,"reloadable":false}
                {"key":null,"variable":"PGPASSWORD","value":"********","origin":"environment","place":"PGPASSWORD",\
                "default":null,"reloadable":false}

                """)
    }

    @Test func `nothing changed is a remark, and an empty list in JSON`() async throws {
        let text = try await folder.settle("config show --changed")
        #expect(text.output == "" && text.errors == "Every setting has its default.\n" && text.exitCode == 0)
        #expect(try await folder.settle("config show --changed --json").output == "[]\n")
        let all = try await folder.settle("config show")
        #expect(all.output.contains(#/queue\.capacity +2000 +default/#))
        #expect(all.output.contains("one for each core"))
    }

    @Test func `a variable that is wrong is named`() async throws {
        let result = try await folder.settle("config show", ["SETTLE_QUEUE_CAPACITY": "x"])
        #expect(
            result.errors == "settle: SETTLE_QUEUE_CAPACITY: expected a whole number from 1 to 1000000, found 'x'\n")
        #expect(result.exitCode == 64)
    }

    @Test(arguments: [
        "postgres://settle:geheim@127.0.0.1:1/db", "postgres://127.0.0.1:1/db?user=x&password=geheim",
        "host=127.0.0.1 port=1 password='geheim'", "postgres://settle:ge@geheim@127.0.0.1:1/db",
        "postgres://settle:ge/geheim@127.0.0.1:1/db", "geheim://x",
    ])
    func `a password is never shown, whatever is asked and wherever it stands`(url: String) async throws {
        try folder.write("database:\n  url: \"\(url)\"\nqueue:\n  capacity: 5\n")
        try folder.write("queue:\n  capacity: 5\n", to: "other.yaml")
        let places: [(options: String, environment: [String: String])] = [
            ("", [:]), ("--config other.yaml", ["DATABASE_URL": url]),
            ("--config other.yaml", ["PGPASSWORD": "geheim", "PGHOST": "127.0.0.1", "PGPORT": "1"]),
        ]
        let commands = [
            "config show", "config show --json", "config check", "config check --json", "balance alice --verbose",
            "worker --once --log-level debug --verbose",
        ]
        for (options, environment) in places {
            for command in commands {
                let result = try await folder.settle("\(command) \(options)", environment)
                #expect(!(result.output + result.errors).contains("geheim"), "\(command) \(options)")
            }
        }
        let flag = try await Program.run(
            "config", "show", "--config", "other.yaml", "--database-url", url, directory: folder.path)
        #expect(!(flag.output + flag.errors).contains("geheim"))
    }
}
