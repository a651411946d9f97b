import Foundation
import Repository
import SettleTesting

@testable import EmbeddedPostgres

/// A PostgreSQL server that keeps its log in an archive, or one that was made from another's backup.
final class ArchivingServer: Sendable {
    let cluster: EmbeddedCluster
    let database: TestDatabase
    private let home: ClusterHome

    /// Where a primary puts what a restore needs.
    var archive: String { "\(home.path)/archive" }
    var backup: String { "\(home.path)/backup" }

    private init(_ cluster: EmbeddedCluster) {
        self.cluster = cluster
        home = cluster.server.home
        database = TestDatabase(name: EmbeddedCluster.name, connectionString: cluster.connectionString)
    }

    deinit { cluster.destroy() }

    /// A primary with our tables, as docs/backup.md sets one up.
    static func primary() throws -> ArchivingServer {
        let server = ArchivingServer(try EmbeddedCluster.throwaway(durable: true))
        try server.makeDirectory(server.archive)
        for (setting, value) in [
            ("archive_mode", "on"), ("archive_timeout", "60"),
            ("archive_command", "test ! -f \(server.archive)/%f && cp %p \(server.archive)/%f"),
        ] {
            try server.database.execute("alter system set \(setting) = '\(value)'")
        }
        try server.cluster.stopImmediately()
        try server.cluster.start()
        try Migrator(try server.database.connect(), MigrationFiles(directory: migrationsDirectory)).up()
        return server
    }

    /// Copies the whole server while it works.
    func takeBackup() throws {
        try makeDirectory(backup)
        try asServer(
            home.binary("pg_basebackup"),
            ["-D", backup, "-X", "stream", "--checkpoint=fast", "-h", home.socketDirectory, "-U", EmbeddedCluster.name])
    }

    /// Has everything up to now in the archive.
    func closeArchive() async throws {
        let file = try database.value("select pg_walfile_name(pg_switch_wal())")
        try await eventually("the log is archived") {
            try database.value("select last_archived_wal >= '\(file)' from pg_stat_archiver") == "true"
        }
    }

    /// Another server, from the backup and the archive of this one up to a time.
    func restored(upTo time: String) throws -> ArchivingServer {
        try made(
            from: { target in try self.asServer("cp", ["-r", "\(self.backup)/.", target]) },
            settings: [
                "restore_command = 'cp \(archive)/%f %p'", "recovery_target_time = '\(time)'",
                "recovery_target_action = 'promote'",
            ], signal: "recovery.signal")
    }

    /// Another server that follows this one.
    func standby() throws -> ArchivingServer {
        try made(
            from: { target in
                try self.asServer(
                    self.home.binary("pg_basebackup"),
                    [
                        "-D", target, "-X", "stream", "--checkpoint=fast", "-h", self.home.socketDirectory, "-U",
                        EmbeddedCluster.name,
                    ])
            },
            settings: [
                "primary_conninfo = 'host=\(home.socketDirectory) port=\(ClusterHome.port) user=\(EmbeddedCluster.name)'"
            ], signal: "standby.signal")
    }

    private func made(
        from copy: (_ target: String) throws -> Void, settings: [String], signal: String
    ) throws -> ArchivingServer {
        let other = ArchivingServer(try EmbeddedCluster.throwaway(durable: true))
        try other.cluster.stopImmediately()
        try FileManager.default.removeItem(atPath: other.home.data)
        try other.makeDirectory(other.home.data)
        try copy(other.home.data)
        // What the primary was told by ALTER SYSTEM came along; the last line that sets something counts.
        let lines = (["archive_mode = off"] + settings).joined(separator: "\n")
        try other.asServer(
            "sh",
            [
                "-c", "printf '%s\\n' \"$1\" >> \"$0/postgresql.auto.conf\"; touch \"$0/\(signal)\"", other.home.data,
                lines,
            ])
        try other.cluster.start()
        return other
    }

    /// Ends the server as the loss of its machine would.
    func fail() throws { try cluster.stopImmediately() }

    /// Makes a standby the primary.
    func promote() throws { try database.execute("select pg_promote()") }

    var isInRecovery: Bool { get throws { try database.value("select pg_is_in_recovery()") == "true" } }

    /// Both, as somebody names them who wants the one that takes writes.
    func connectionString(or other: ArchivingServer) -> String {
        "host='\(home.socketDirectory),\(other.home.socketDirectory)' port=\(ClusterHome.port) "
            + "user=\(EmbeddedCluster.name) dbname=\(EmbeddedCluster.name) target_session_attrs=read-write"
    }

    private func makeDirectory(_ path: String) throws {
        try ClusterHome.makePrivate(path, mode: 0o700, user: home.account.user, group: home.account.group)
    }

    private func asServer(_ program: String, _ arguments: [String]) throws {
        let result = try Subprocess.run(home.account.prefix + [program] + arguments, in: home.path)
        guard result.succeeded else { throw WaitedInVain(description: "\(program) \(arguments): \(result.output)") }
    }
}

extension ClusterHome {
    fileprivate func binary(_ program: String) throws -> String { try PostgresBinaries.find().path(program) }
}
