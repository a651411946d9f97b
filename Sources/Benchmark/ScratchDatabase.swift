import Glibc
import Repository
import ServiceKit

/// A place of its own for a benchmark: a database where the role may create one, else a schema. It never touches
/// what is there, and is recognised by its name and a mark, should its maker die before dropping it.
public final class ScratchDatabase {
    public enum Kind: String, Sendable { case database, schema }

    public let kind: Kind
    public let name: String
    public let connectionString: String
    private let home: String
    private let limits: Limits
    /// While it lives, nobody takes the place for a leftover.
    private var keeper: PostgresConnection?

    static let namePattern = "^settle_bench_[0-9a-z]+$"
    /// A comment on it: what is called so without this is somebody else's.
    static let mark = "What a settle bench made; the next one drops it when nobody is connected."

    /// Makes it beside the database that the connection string names, with the tables of this version.
    ///
    /// - Parameter note: told of leftovers that were removed.
    public init(
        beside home: String, limits: Limits, migrations: MigrationFiles, note: (String) -> Void
    ) throws {
        guard let parsed = ConnectionString(home) else {
            throw BenchmarkError("the database URL cannot be read")
        }
        self.home = home
        self.limits = limits
        name = "settle_bench_" + String(UInt64.random(in: 0x1000_0000_0000...0xffff_ffff_ffff), radix: 36)
        let connection = try PostgresConnection(home, limits: limits, applicationName: "settle bench")
        try connection.liftStatementTimeout()
        for leftover in try Self.removeLeftovers(connection) {
            note("removed \(leftover), which an earlier run left behind")
        }
        kind = try connection.query(Self.mayCreateStatement).bool(0, 0) ? .database : .schema
        let changed: ConnectionString?
        switch kind {
        case .database:
            changed = parsed.setting(["dbname": name])
            try connection.script(
                "create database \(name) template template0 encoding 'UTF8' lc_collate 'C' lc_ctype 'C'")
            try connection.script("comment on database \(name) is '\(Self.mark)'")
        case .schema:
            let options = parsed.value(of: "options") ?? getenv("PGOPTIONS").map { String(cString: $0) } ?? ""
            changed = parsed.setting(["options": "\(options) -c search_path=\(name)"])
            try connection.query(Self.lockStatement, .text(name))
            try connection.script("create schema \(name); comment on schema \(name) is '\(Self.mark)'")
        }
        guard let changed else { throw BenchmarkError("the database URL cannot be read") }
        connectionString = changed.text
        do {
            // The lock on a schema's name lives in the connection that took it.
            keeper =
                kind == .schema
                ? connection : try PostgresConnection(connectionString, limits: limits, applicationName: "settle bench")
            try Migrator(connect(), migrations).up()
        } catch {
            drop { _ in }
            throw error
        }
    }

    public func connect() throws(DatabaseError) -> PostgresConnection {
        try PostgresConnection(connectionString, limits: limits, applicationName: "settle bench")
    }

    /// Removes it with all that is in it.
    ///
    /// - Parameter failed: told why it could not be; the next run tries again.
    public func drop(failed: (String) -> Void) {
        keeper = nil
        do throws(DatabaseError) {
            let connection = try PostgresConnection(home, limits: limits, applicationName: "settle bench")
            try connection.liftStatementTimeout()
            switch kind {
            case .database: try connection.script("drop database if exists \(name) with (force)")
            case .schema: try connection.script("set lock_timeout = 0; drop schema if exists \(name) cascade")
            }
        } catch {
            failed(
                "the scratch \(kind.rawValue) \(name) could not be dropped (\(error.message)); the next 'settle bench' "
                    + "on this server removes it")
        }
    }

    /// Drops what earlier runs left here and nobody uses any more, and returns what it was.
    static func removeLeftovers(_ connection: PostgresConnection) throws(DatabaseError) -> [String] {
        var removed: [String] = []
        let databases = try connection.query(leftoverDatabasesStatement, .text(namePattern), .text(mark))
        for row in databases.indices {
            let name = databases.string(row, 0)
            // Refused while somebody is connected: then it is none. An autovacuum is sent away.
            guard (try? connection.script("drop database if exists \(name)")) != nil else { continue }
            removed.append("the database \(name)")
        }
        let schemas = try connection.query(leftoverSchemasStatement, .text(namePattern), .text(mark))
        for row in schemas.indices {
            let name = schemas.string(row, 0)
            guard try connection.query(lockStatement, .text(name)).bool(0, 0) else { continue }
            if (try? connection.script("drop schema if exists \(name) cascade")) != nil {
                removed.append("the schema \(name)")
            }
            try connection.query(unlockStatement, .text(name))
        }
        return removed
    }

    private static let mayCreateStatement = Statement(
        "scratch_may_create", "select rolcreatedb or rolsuper from pg_roles where rolname = current_user")
    private static let leftoverDatabasesStatement = Statement(
        "scratch_databases",
        """
        select datname::text from pg_database d
         where datname ~ $1 and shobj_description(d.oid, 'pg_database') = $2 and pg_has_role(datdba, 'usage')
           and not exists (select from pg_stat_activity a where a.datid = d.oid and a.backend_type = 'client backend')
        """)
    private static let leftoverSchemasStatement = Statement(
        "scratch_schemas",
        """
        select nspname::text from pg_namespace n
         where nspname ~ $1 and obj_description(n.oid, 'pg_namespace') = $2 and pg_has_role(nspowner, 'usage')
        """)
    private static let lockStatement = Statement(
        "scratch_lock", "select pg_try_advisory_lock(\(AdvisoryLock.scratchDatabase), hashtext($1))")
    private static let unlockStatement = Statement(
        "scratch_unlock", "select pg_advisory_unlock(\(AdvisoryLock.scratchDatabase), hashtext($1))")
}

/// Why a benchmark cannot be carried out.
public struct BenchmarkError: Error, CustomStringConvertible, Sendable {
    public let description: String

    public init(_ description: String) { self.description = description }
}
