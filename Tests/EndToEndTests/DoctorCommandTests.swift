import Foundation
import SettleTesting
import Testing

/// `settle doctor` as it is typed.
@Suite struct DoctorCommandTests {
    private static let names = [
        "program", "connection", "pooler", "room", "server", "durability", "checksums", "clock", "notifications",
        "connections",
        "transactions", "locks", "prepared transactions", "replication slots", "migrations", "autovacuum", "indexes",
        "ledger", "workers", "queue", "waiting trades", "dead letters", "feed", "verification", "disk space",
    ]

    @Test func `a healthy database is told to be so, in text and JSON`() async throws {
        let own = try CrashingDatabase()
        let text = try await own.database.typing("doctor")
        #expect(text.exitCode == 0, "\(text.output)")
        #expect(text.errors == "")
        #expect(text.lines.last == "0 problems, 1 remark.")
        #expect(text.output.contains("\nok       durability             fsync and full_page_writes are on, synch"))
        #expect(text.output.contains("named by DATABASE_URL; a round trip takes "))
        #expect(!text.output.contains("\u{1B}"))

        let json = try await own.database.typing("doctor --json")
        let report = try #require(try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any])
        #expect(report["healthy"] as? Bool == true)
        let checks = try #require(report["checks"] as? [[String: Any]])
        #expect(checks.compactMap { $0["name"] as? String } == Self.names)
        #expect(checks.allSatisfy { Set($0.keys) == ["name", "status", "message", "remedy"] })
    }

    @Test func `a problem gives exit code 3 and the command that mends it, and nothing is changed`() async throws {
        let own = try CrashingDatabase()
        try await own.database.fund()
        try own.database.execute("alter database settle set synchronous_commit = off")
        let before = try own.database.contents()
        let text = try await own.database.typing("doctor --color always")
        #expect(text.exitCode == 3)
        #expect(text.errors == "settle: 1 problem found; what mends it stands behind each\n")
        #expect(text.output.contains("\u{1B}[31mproblem\u{1B}[0m  durability"))
        #expect(text.output.contains("→ alter database \"settle\" reset synchronous_commit;"))
        #expect(try await own.database.typing("doctor -o jsonl").output.contains("{\"healthy\":false,"))
        #expect(try own.database.contents() == before)
    }

    @Test func `a database that is away is told with what could be looked at, and exit code 69`() async throws {
        let away = ["DATABASE_URL": "postgres://settle:s3cr3t@127.0.0.1:1/settle"]
        let result = try await Program.run("doctor", environment: away)
        #expect(result.exitCode == 69)
        #expect(result.errors == "settle: 1 problem found; what mends it stands behind each\n")
        #expect(result.output.contains("ok       program     settle "))
        #expect(
            result.output.contains(
                """
                problem  connection  cannot reach PostgreSQL at 127.0.0.1:1 (connection refused)
                                     → systemctl start postgresql    (on that machine
                """))
        #expect(!result.output.contains("s3cr3t"))
        let name = try await Program.run(
            "asset", "list", environment: ["DATABASE_URL": "s3cr3t", "PGHOST": "/nowhere"])
        #expect(name.errors.contains("at /nowhere"))
        #expect(name.errors.contains("what stands for the database URL was read as the mere name of a database"))
        #expect(!name.errors.contains("s3cr3t"))
        let wrong = try TestDatabase().connectionString.replacing("test_", with: "no_such_")
        let missing = try await Program.run("doctor", "--json", "--database-url", wrong)
        #expect(missing.exitCode == 69)
        #expect(missing.output.contains("\"remedy\": \"createdb, or mend the database's name in the URL\""))
    }

    @Test func `where there is no private database the doctor makes none, and where there is one he looks at it`()
        async throws
    {
        try await withFolder { folder in
            let fresh = try await Program.run("doctor", directory: folder)
            #expect(fresh.exitCode == 0)
            #expect(fresh.output.contains("remark   private server  no database is named, and there is no private one"))
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == [])
            #expect(try await Program.run("asset", "add", "BTC", "--decimals", "8", directory: folder).exitCode == 0)
            let made = try await Program.run("doctor", directory: folder)
            #expect(made.exitCode == 0, "\(made.output)")
            #expect(made.output.contains("ok       private server         runs; its data are in /"))
            #expect(made.output.contains("disk space             "))
            #expect(made.output.contains(", the private one in .settle/; a round trip takes "))
            let noted = try? String(contentsOfFile: folder + "/.settle/postgres.location", encoding: .utf8)
            if let noted { try FileManager.default.removeItem(atPath: noted.trimmingCharacters(in: .newlines)) }
        }
    }

    @Test(.enabled(if: geteuid() == 0, "only root's data lie elsewhere"))
    func `a private database that is gone is a problem for the doctor, and nobody makes another in its place`()
        async throws
    {
        try await withFolder { folder in
            let gone = "/var/lib/settle/gone-\(UUID().uuidString)"
            try FileManager.default.createDirectory(atPath: "\(folder)/.settle", withIntermediateDirectories: false)
            try "\(gone)\n".write(
                toFile: "\(folder)/.settle/postgres.location", atomically: true, encoding: .utf8)
            let doctor = try await Program.run("doctor", directory: folder)
            #expect(doctor.exitCode == 69)
            #expect(doctor.output.contains("problem  private server  the private database of this folder was kept in"))
            for words in [["worker", "--once"], ["dlq", "list"], ["migrate", "up"]] {
                let result = try await Program(words, directory: folder).wait()
                #expect(result.exitCode == 69, "\(words)")
                #expect(
                    result.errors.contains("\(gone), which is gone. Bring that folder back, or remove /"),
                    "\(words): \(result.errors)")
                #expect(result.errors.contains("/.settle/postgres.location to begin with an empty database\n"))
            }
            #expect(!FileManager.default.fileExists(atPath: gone))
        }
    }
}
