import Foundation
import SettleTesting
import Testing

/// `settle migrate`, on databases that nobody has migrated.
@Suite struct MigrateCommandTests {
    private static let upToDate = "The database is up to date.\n"

    /// The URL of an empty database beside the test's own.
    private func empty(_ database: TestDatabase) throws -> [String: String] {
        let name = database.name + "_empty"
        try database.execute("create database \(name) template template0")
        return ["DATABASE_URL": database.connectionString.replacing(database.name, with: name)]
    }

    @Test func `a fresh database is migrated once, and taken back`() async throws {
        let database = try TestDatabase()
        let fresh = try empty(database)
        let names = try FileManager.default.contentsOfDirectory(atPath: migrationsDirectory)
            .filter { $0.hasSuffix(".up.sql") }.sorted()
        let missing = try await database.typing("migrate status", fresh)
        #expect(missing.lines.dropFirst().allSatisfy { $0.hasSuffix("missing") })
        #expect(missing.lines.count == names.count + 1)

        let predicted = try await database.typing("migrate up --dry-run -o jsonl", fresh)
        #expect(predicted.lines.count == names.count)
        #expect(predicted.lines.first == #"{"version":0,"name":"migrations"}"#)
        #expect(try await database.typing("migrate status", fresh).output == missing.output)

        let held = try await database.typing("migrate up --target 0", fresh)
        #expect(held.output == "VERSION  NAME        STATE\n0        migrations  applied\n")
        #expect(
            try await database.typing("migrate up --target 0", fresh).errors
                == "Nothing to apply up to that version.\n")
        #expect(try await database.typing("migrate up", fresh).exitCode == 0)
        let again = try await database.typing("migrate up", fresh)
        #expect(again.output == "")
        #expect(again.errors == Self.upToDate)
        #expect(try await database.typing("migrate up --json", fresh).output == "[]\n")
        #expect(try await database.typing("verify", fresh).exitCode == 0)
        let status = try await database.typing("migrate status -o jsonl", fresh)
        #expect(status.lines.count == names.count)
        #expect(status.lines.allSatisfy { $0.contains(#""applied":true,"checksum":""#) })

        let refused = try await database.typing("migrate down --target -1", fresh)
        #expect(refused.exitCode == 64)
        #expect(refused.errors.contains("--yes"))
        #expect(
            try await database.typing("migrate down --target -1 --dry-run", fresh).output.contains(
                "would be taken back"))
        #expect(try await database.typing("migrate status -o jsonl", fresh).output == status.output)
        #expect(try await database.typing("migrate down --target -1 --yes", fresh).exitCode == 0)
        #expect(try await database.typing("migrate status", fresh).output == missing.output)
        #expect(try await database.typing("migrate down --target -1 --yes", fresh).errors == "Nothing to take back.\n")
        let newest = names.count - 1
        for (line, first, target) in [
            ("down --target 77 --yes", -1, 77), ("down --target -2", -1, -2), ("up --target 77", 0, 77),
            ("up --target -1 --dry-run", 0, -1),
        ] {
            let result = try await database.typing("migrate \(line)", fresh)
            #expect(result.exitCode == 64)
            #expect(
                result.errors == "settle: '--target' is a version from \(first) to \(newest), not \(target). "
                    + "Try 'settle migrate \(line.prefix { $0 != " " }) --help'.\n")
        }
        let unasked = try await database.typing("migrate down --target 0")
        #expect(unasked.exitCode == 64)
        #expect(
            unasked.errors.contains(#/ of database 'test_\w+' at \S+ and lose what is in their tables\?/#),
            "\(unasked.errors)")
        for bad in ["up --target x", "down", "down --target x --yes", "up extra", "sideways", "sql --bogus"] {
            #expect(try await database.typing("migrate \(bad)", fresh).exitCode == 64, "\(bad)")
        }
    }

    @Test func `two starters at once migrate once`() async throws {
        let database = try TestDatabase()
        let fresh = try empty(database)
        let starters = try (0..<2).map { _ in try Program(["migrate", "up"], environment: fresh) }
        var results: [Program.Result] = []
        for starter in starters { results.append(await starter.wait()) }
        #expect(results.map(\.exitCode) == [0, 0], "\(results.map(\.errors))")
        #expect(results.count { $0.errors == Self.upToDate } == 1)
        #expect(try await database.typing("migrate up", fresh).errors == Self.upToDate)
    }

    @Test func `an edited file is refused by every command`() async throws {
        let database = try TestDatabase()
        try await withFolder { folder in
            let copy = folder + "/migrations"
            try FileManager.default.copyItem(atPath: migrationsDirectory, toPath: copy)
            let environment = ["SETTLE_MIGRATIONS": copy]
            #expect(try await database.typing("migrate status", environment).exitCode == 0)
            let path = copy + "/001_books.up.sql"
            let text = try String(contentsOfFile: path, encoding: .utf8)
            try write(Array((text + "\n-- edited\n").utf8), to: path)
            for line in ["migrate status", "migrate up", "migrate down --target 0 --yes", "asset list", "verify"] {
                let result = try await database.typing(line, environment)
                #expect(result.exitCode == 1, "\(line)")
                #expect(
                    result.errors == """
                        settle: migration 1 (books) was edited after it was applied. Restore the file and put the change \
                        into a new one.

                        """)
            }
            // The newest one is not there: the database is ahead of the program.
            try write(Array(text.utf8), to: path)
            let newest = try #require(try FileManager.default.contentsOfDirectory(atPath: copy).max())
            try FileManager.default.removeItem(atPath: "\(copy)/\(newest)")
            #expect(
                try await database.typing("migrate status", environment).errors.contains("Use a newer settle."))
            try write(Array("select 1".utf8), to: copy + "/007_gap.up.sql")
            #expect(try await database.typing("migrate status", environment).errors.contains("out of place"))
            let missing = try await database.typing("migrate status", ["SETTLE_MIGRATIONS": folder + "/none"])
            #expect(missing.exitCode == 1)
            #expect(missing.errors == "settle: cannot read the folder of migrations \(folder)/none\n")
        }
        #expect(try database.violations() == [])
    }

    @Test func `a migration that fails leaves nothing of itself`() async throws {
        let database = try TestDatabase()
        try await withFolder { folder in
            let copy = folder + "/migrations"
            try FileManager.default.copyItem(atPath: migrationsDirectory, toPath: copy)
            let next = try FileManager.default.contentsOfDirectory(atPath: copy).count / 2
            let stem = copy + "/" + String(repeating: "0", count: 3 - "\(next)".count) + "\(next)_broken"
            try write(Array("drop table holds; select 1 / 0;".utf8), to: stem + ".up.sql")
            try write(Array("select 1".utf8), to: stem + ".down.sql")
            let result = try await database.typing("migrate up", ["SETTLE_MIGRATIONS": copy])
            #expect(result.exitCode == 1)
            #expect(result.errors == "settle: migration \(next) (broken) failed: division by zero\n")
            let behind = try await database.typing("asset list", ["SETTLE_MIGRATIONS": copy])
            #expect(behind.exitCode == 1)
            #expect(
                behind.errors == "settle: the database lacks migration \(next) (broken). Run 'settle migrate up'.\n")
        }
        #expect(try database.value("select to_regclass('holds')") == "holds")
    }

    @Test func `the program finds the migrations from another folder`() async throws {
        let database = try TestDatabase()
        let result = try await withFolder { folder in
            try await Program(
                ["migrate", "status"],
                environment: ["DATABASE_URL": database.connectionString, "SETTLE_MIGRATIONS": ""], directory: folder
            ).wait()
        }
        #expect(result.exitCode == 0, "\(result.errors)")
        #expect(result.lines.dropFirst().allSatisfy { $0.hasSuffix("applied") })
    }

    @Test func `what sql prints brings a database up by psql alone`() async throws {
        let database = try TestDatabase()
        let fresh = try empty(database)
        let sql = try await database.typing("migrate sql", fresh)
        #expect(sql.exitCode == 0)
        #expect(
            try await database.typing("migrate sql --all", ["DATABASE_URL": "host=127.0.0.1 port=1"]).output
                == sql.output)
        let psql = Process()
        psql.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        psql.arguments = ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-o", "/dev/null", fresh["DATABASE_URL"]!]
        let input = Pipe()
        psql.standardInput = input
        try psql.run()
        try input.fileHandleForWriting.write(contentsOf: Data(sql.output.utf8))
        try input.fileHandleForWriting.close()
        psql.waitUntilExit()
        #expect(psql.terminationStatus == 0)
        let status = try await database.typing("migrate status", fresh)
        #expect(status.lines.dropFirst().allSatisfy { $0.hasSuffix("applied") })
        let nothing = try await database.typing("migrate sql", fresh)
        #expect(nothing.output == "")
        #expect(nothing.errors == "The database is up to date; there is no SQL to run.\n")
        #expect(try await database.typing("migrate up", fresh).errors == Self.upToDate)
    }

    @Test func `every command on an unmigrated database says what to run`() async throws {
        let database = try TestDatabase()
        let fresh = try empty(database)
        for line in [
            "asset list", "asset add BTC --decimals 8", "market list", "market add BTC/USDT", "deposit a 1 BTC --id k",
            "withdraw a 1 BTC --id k", "balance a", "trade submit", "trade show 1", "trade list", "dlq list",
            "dlq show 1",
            "dlq retry 1", "verify", "worker --once", "up --for 1s",
        ] {
            let result = try await database.typing(line, fresh)
            #expect(result.exitCode == 1, "\(line)")
            #expect(
                result.errors == "settle: the database lacks migration 0 (migrations). Run 'settle migrate up'.\n",
                "\(line)")
            #expect(result.output == "")
        }
    }
}
