import CommandKit
import Repository
import SettlementWorkers
import TradeModel

/// The server itself: its version, how safely it writes, its clock, its room.
extension Checkup {
    private static let oldestVersion = 150_000
    private static let reload = "select pg_reload_conf();"

    func server(_ session: ServerHealth.Session) throws -> [Finding] {
        let name = "server"
        let settings = try ServerHealth.settings(
            ["server_version", "server_version_num", "default_transaction_read_only"], connection)
        let version = settings["server_version"]?.value ?? "?"
        guard let number = settings["server_version_num"].flatMap({ Int($0.value) }), number >= Self.oldestVersion
        else {
            return [
                .problem(
                    name, "PostgreSQL \(version) is too old; settle needs 15 or newer",
                    remedy: "pg_upgrade, or move to a server of a newer version")
            ]
        }
        if session.isStandby {
            return [
                .problem(
                    name, "this server follows another one and takes no writes",
                    remedy: "name the primary in the database URL, or add target_session_attrs=read-write to it")
            ]
        }
        if let readOnly = settings["default_transaction_read_only"], readOnly.value == "on" {
            return [
                .problem(
                    name, "transactions are read-only here (default_transaction_read_only, \(readOnly.source))",
                    remedy: reset("default_transaction_read_only", readOnly, session))
            ]
        }
        return [.ok(name, "PostgreSQL \(version)")]
    }

    /// Whether the server's disk takes what a commit may need.
    func room() throws -> [Finding] {
        let name = "room"
        do throws(DatabaseError) {
            try ServerHealth.writeScratch(connection)
        } catch {
            guard error.sqlState == DatabaseError.diskFull else { throw error }
            return [
                .problem(
                    name,
                    "the server's disk has no room for 16 MB, so that it takes no writes, or soon none: "
                        + error.message,
                    remedy: ConnectionAdvice.on("No space left").remedy)
            ]
        }
        return [.ok(name, "the server's disk takes writes")]
    }

    func durability(_ session: ServerHealth.Session) throws -> [Finding] {
        let name = "durability"
        let settings = try ServerHealth.settings(["fsync", "full_page_writes", "synchronous_commit"], connection)
        let dangers = [
            ("fsync", "a crash of the machine can destroy the whole database"),
            ("full_page_writes", "a crash of the machine can leave torn pages"),
            ("synchronous_commit", "a crash loses trades that were reported as settled"),
        ]
        let problems = dangers.compactMap { setting, danger -> Finding? in
            guard let found = settings[setting], found.value == "off" else { return nil }
            let place = found.source == "default" ? "" : " (\(found.source))"
            return .problem(name, "\(setting) is off\(place): \(danger)", remedy: reset(setting, found, session))
        }
        let commit = settings["synchronous_commit"]?.value ?? "on"
        return problems.isEmpty
            ? [.ok(name, "fsync and full_page_writes are on, synchronous_commit is \(commit)")] : problems
    }

    /// What puts a setting back, there where it was made.
    private func reset(_ setting: String, _ found: ServerHealth.Setting, _ session: ServerHealth.Session) -> String {
        let role = Self.quoted(session.role)
        let database = Self.quoted(session.database)
        if setting == "default_transaction_read_only" {
            return "set \(setting) = off; " + reset(setting, found.source, to: "off", role, database)
        }
        return reset(setting, found.source, to: "on", role, database)
    }

    private func reset(_ setting: String, _ source: String, to value: String, _ role: String, _ database: String)
        -> String
    {
        switch source {
        case "database": "alter database \(database) reset \(setting);"
        case "user": "alter role \(role) reset \(setting);"
        case "database user": "alter role \(role) in database \(database) reset \(setting);"
        case "client", "environment variable": "take \(setting) out of PGOPTIONS or the database URL"
        case "command line": "take \(setting) off the server's command line, and restart it"
        default: "alter system set \(setting) = \(value); \(Self.reload)"
        }
    }

    func checksums() throws -> [Finding] {
        let name = "checksums"
        guard let found = try ServerHealth.settings(["data_checksums"], connection)["data_checksums"] else { return [] }
        return found.value == "on"
            ? [.ok(name, "data checksums are on")]
            : [
                .remark(
                    name, "data checksums are off: what a failing disk changes is noticed late or never",
                    remedy: "stop the server, then pg_checksums --enable -D DATA-FOLDER")
            ]
    }

    func clock() throws -> [Finding] {
        let name = "clock"
        let before = Timestamp.now.microseconds
        let server = try ServerHealth.session(connection).serverTime.microseconds
        let after = Timestamp.now.microseconds
        // As far as the answer's way allows to say.
        let skew = server < before ? before - server : server > after ? server - after : 0
        let milliseconds = skew / 1_000
        guard milliseconds > thresholds.clockSkewMillisecondsMax else {
            let most = (skew + after - before) / 1_000 + 1
            return [.ok(name, "the server's and this machine's differ by less than \(most) ms")]
        }
        return [
            .problem(
                name,
                "the server's clock is \(Self.duration(milliseconds)) \(server < before ? "behind" : "ahead of") this "
                    + "machine's, so that '--since 10m' and the like mean something else",
                remedy: "timedatectl set-ntp true    (on whichever of the two is wrong)")
        ]
    }

    func connections(_ session: ServerHealth.Session) throws -> [Finding] {
        let name = "connections"
        let room = try ServerHealth.room(connection)
        // Those that settle, and the one that listens and claims.
        let wanted = limits.connections + 1
        // Our own two are free when we have gone.
        let free = min(room.limit, room.free + 2)
        let whose =
            switch room.owner {
            case .server: ""
            case .database: " of this database"
            case .role: " of this role"
            }
        let use = "\(max(0, room.used - 2)) of \(room.limit.counted("connection"))\(whose) in use"
        guard free < wanted else { return [.ok(name, "\(use); a worker takes \(wanted)")] }
        let remedy =
            switch room.owner {
            case .server: "alter system set max_connections = \(2 * room.limit + wanted);    (then restart the server)"
            case .database:
                "alter database \(Self.quoted(session.database)) connection limit \(2 * room.limit + wanted);"
            case .role: "alter role \(Self.quoted(session.role)) connection limit \(2 * room.limit + wanted);"
            }
        return [.problem(name, "\(use): too few are left for a worker, which takes \(wanted)", remedy: remedy)]
    }
}
