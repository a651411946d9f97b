import EmbeddedPostgres
import Foundation
import Repository
import SettleTesting
import Testing
import TradeModel

extension Processes {
    /// Backup and restore as docs/backup.md tells it, with PostgreSQL's own programs.
    @Suite(.timeLimit(.minutes(5))) struct BackupTests {
        /// Runs a line of a shell as the user of the server, and expects it to succeed.
        private func shell(_ line: String, as owner: stat) async throws -> String {
            let prefix =
                geteuid() == 0
                ? ["setpriv", "--reuid=\(owner.st_uid)", "--regid=\(owner.st_gid)", "--clear-groups", "--"] : []
            let path = try PostgresBinaries.find().directory + ":/usr/local/bin:/usr/bin:/bin"
            let result = try await Program(
                executable: "/usr/bin/env", prefix + ["bash", "-euc", line],
                wholeEnvironment: ["PATH": path, "LC_ALL": "C"], directory: "/"
            ).wait(timeout: .seconds(120))
            guard result.exitCode == 0 else { throw WaitedInVain(description: "\(line): \(result.errors)") }
            return result.output
        }

        @Test func `a ledger that is taken back to a moment is right, and what is sent again settles once`()
            async throws
        {
            // Given: a server that archives, and a base backup from the middle of the work.
            let server = try CrashingDatabase()
            let database = server.database
            var owner = stat()
            #expect(stat(server.cluster.dataDirectory, &owner) == 0)
            let owned = owner
            try await withFolder { folder in
                chmod(folder, 0o777)
                try database.execute("alter system set archive_mode = on")
                try database.execute(
                    "alter system set archive_command = 'test ! -f \(folder)/wal/%f && cp %p \(folder)/wal/%f'")
                _ = try await shell("mkdir \(folder)/wal \(folder)/restored", as: owned)
                try server.cluster.stopImmediately()
                try server.cluster.start()
                let load = TradeLoad(300, accounts: 10, seed: 5)
                try await load.prepare(database)
                let items = load.trades.map { SettlementItem(.trade($0), origin: .message("test")) }
                let wallet = database.wallet()
                #expect(try await wallet.settle(Array(items[..<100])).allSatisfy { $0 == .settled })
                let connection = database.connectionString
                _ = try await shell(
                    "pg_basebackup -d \"\(connection)\" -D \(folder)/restored/data -X none --checkpoint=fast", as: owned
                )
                #expect(try await wallet.settle(Array(items[100..<200])).allSatisfy { $0 == .settled })
                try database.execute("select pg_create_restore_point('noon')")
                #expect(try await wallet.settle(Array(items[200...])).allSatisfy { $0 == .settled })
                let last = try database.value("select pg_walfile_name(pg_switch_wal())")
                try await eventually("the log is archived") {
                    FileManager.default.fileExists(atPath: "\(folder)/wal/\(last)")
                }
                // When: it is restored to before the last hundred.
                _ = try await shell(
                    """
                    cd \(folder)/restored; cp \(server.cluster.dataDirectory)/../settle.conf .; touch data/recovery.signal
                    printf '%s\\n' "restore_command = 'cp \(folder)/wal/%f %p'" "recovery_target_name = 'noon'" \
                        "recovery_target_action = 'promote'" "archive_mode = off" >> data/postgresql.auto.conf
                    pg_ctl -D data -l log -w -t 100 -o "-k \(folder)/restored -p 5433 -c listen_addresses=''" start >&2
                    """, as: owned)
                let restored = TestDatabase(
                    name: database.name,
                    connectionString: "host=\(folder)/restored port=5433 user=settle dbname=\(database.name)")
                defer { kill(serverProcess(of: "\(folder)/restored/data"), SIGINT) }
                try await eventually("it is open") {
                    try restored.value("select not pg_is_in_recovery()") == "true"
                }
                // Then: it is as it was, and right.
                #expect(try restored.trades(.settled) == 200)
                #expect(try restored.violations() == [])
                // What is sent again settles once, whether it was known or not.
                let again = try await restored.wallet().settle(Array(items[150...]))
                #expect(
                    again.prefix(50).allSatisfy { $0 == .duplicate } && again.suffix(100).allSatisfy { $0 == .settled })
                #expect(try restored.trades(.settled) == 300)
                #expect(try load.wrongBalances(in: restored) == [])
                #expect(try restored.violations() == [])
            }
        }

        private func serverProcess(of data: String) -> Int32 {
            let text = (try? String(contentsOfFile: data + "/postmaster.pid", encoding: .utf8)) ?? ""
            return text.split(separator: "\n").first.flatMap { Int32($0) } ?? Int32.max
        }
    }
}
