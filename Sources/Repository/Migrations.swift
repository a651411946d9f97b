import CXXHash
import Foundation

/// One step of the schema, as its two files say it.
public struct Migration: Sendable {
    public let version: Int
    public let name: String
    public let up: String
    public let down: String

    /// XXH3-128 over the file: enough to see that somebody edited it, which is all that is asked of it.
    public var checksum: String {
        let hash = Array(up.utf8).withUnsafeBytes { XXH3_128bits($0.baseAddress, $0.count) }
        return [hash.high64, hash.low64]
            .map { half in
                let digits = String(half, radix: 16)
                return String(repeating: "0", count: 16 - digits.count) + digits
            }
            .joined()
    }
}

extension Migration {
    /// The step with its transaction and its record, for another tool to run.
    public var script: String {
        """
        -- Migration \(version): \(name)
        begin;
        \(up)
        insert into migrations (version, name, checksum)
        values (\(version), '\(name.replacing("'", with: "''"))', '\(checksum)');
        commit;

        """
    }
}

public struct MigrationError: Error, CustomStringConvertible, Sendable {
    public let description: String
}

/// The files of `migrations/`: `NNN_name.up.sql` and `NNN_name.down.sql`.
public struct MigrationFiles: Sendable {
    public let migrations: [Migration]

    public init(directory: String) throws {
        guard let names = try? FileManager.default.contentsOfDirectory(atPath: directory).sorted() else {
            throw MigrationError(description: "cannot read the folder of migrations \(directory)")
        }
        migrations = try names.filter { $0.hasSuffix(".up.sql") }.enumerated().map { position, file in
            let stem = String(file.dropLast(".up.sql".count))
            let parts = stem.split(separator: "_", maxSplits: 1)
            guard parts.count == 2, let version = Int(parts[0]), version == position else {
                throw MigrationError(
                    description: "migrations/\(file) is out of place: expected number \(position) and a name")
            }
            func read(_ suffix: String) throws -> String {
                let path = "\(directory)/\(stem).\(suffix).sql"
                guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
                    throw MigrationError(description: "cannot read the migration \(path)")
                }
                return text
            }
            return Migration(version: version, name: String(parts[1]), up: try read("up"), down: try read("down"))
        }
        guard !migrations.isEmpty else { throw MigrationError(description: "no migrations in \(directory)") }
    }

    /// Finds the folder: `SETTLE_MIGRATIONS`, or `migrations/` in a folder above the program, or its share folder.
    public static func find(environment: [String: String] = ProcessInfo.processInfo.environment) throws
        -> MigrationFiles
    {
        if let directory = environment["SETTLE_MIGRATIONS"], !directory.isEmpty {
            return try MigrationFiles(directory: directory)
        }
        let program = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        var folder = program.deletingLastPathComponent()
        while true {
            for candidate in ["migrations", "share/settle/migrations"] {
                let path = folder.appendingPathComponent(candidate).path
                if FileManager.default.fileExists(atPath: path + "/000_migrations.up.sql") {
                    return try MigrationFiles(directory: path)
                }
            }
            guard folder.path != "/" else { break }
            folder = folder.deletingLastPathComponent()
        }
        throw MigrationError(
            description: "no folder migrations/ above \(program.path). Set SETTLE_MIGRATIONS to where it is.")
    }
}

/// Brings a database to a version, one migration a transaction, one process at a time.
public struct Migrator {
    public struct Applied: Sendable {
        public let version: Int
        public let name: String
        public let checksum: String
    }

    private let connection: PostgresConnection
    private let files: MigrationFiles

    public init(_ connection: PostgresConnection, _ files: MigrationFiles) {
        self.connection = connection
        self.files = files
    }

    private static let existsStatement = Statement("migrations_exist", "select to_regclass('migrations') is not null")
    private static let readStatement = Statement(
        "migrations_read", "select version, name, checksum from migrations order by version")
    private static let insertStatement = Statement(
        "migrations_insert", "insert into migrations (version, name, checksum) values ($1, $2, $3)")
    private static let deleteStatement = Statement("migrations_delete", "delete from migrations where version = $1")
    private static let unlockStatement = Statement(
        "migrations_unlock", "select pg_advisory_unlock(\(AdvisoryLock.migrations))")

    /// What the database has had; an edited or unknown migration is an error.
    public func applied() throws -> [Applied] {
        guard try connection.query(Self.existsStatement).bool(0, 0) else { return [] }
        let rows = try connection.query(Self.readStatement)
        let applied = rows.indices.map {
            Applied(version: Int(rows.int32($0, 0)), name: rows.string($0, 1), checksum: rows.string($0, 2))
        }
        for migration in applied {
            guard let file = files.migrations.first(where: { $0.version == migration.version }) else {
                throw MigrationError(
                    description: "the database has migration \(migration.version) (\(migration.name)), which this "
                        + "program does not know. Use a newer settle.")
            }
            guard file.checksum == migration.checksum else {
                throw MigrationError(
                    description: "migration \(migration.version) (\(migration.name)) was edited after it was applied. "
                        + "Restore the file and put the change into a new one.")
            }
        }
        return applied
    }

    public func pending() throws -> [Migration] {
        let versions = Set(try applied().map(\.version))
        return files.migrations.filter { !versions.contains($0.version) }
    }

    /// Applies what is missing up to the target and returns it.
    @discardableResult
    public func up(to target: Int? = nil) throws -> [Migration] {
        try locked {
            let steps = try pending().filter { $0.version <= target ?? Int.max }
            for migration in steps {
                try step(migration, migration.up) {
                    try connection.query(
                        Self.insertStatement, .int4(Int32(migration.version)), .text(migration.name),
                        .text(migration.checksum))
                }
            }
            return steps
        }
    }

    /// Takes back what is above the target, newest first, and returns it.
    @discardableResult
    public func down(to target: Int) throws -> [Migration] {
        try locked {
            let versions = Set(try applied().map(\.version))
            let steps = files.migrations.reversed().filter { versions.contains($0.version) && $0.version > target }
            for migration in steps {
                try step(migration, migration.down) {
                    if migration.version > 0 {
                        try connection.query(Self.deleteStatement, .int4(Int32(migration.version)))
                    }
                }
            }
            return steps
        }
    }

    private func step(_ migration: Migration, _ sql: String, record: () throws -> Void) throws {
        do {
            try connection.script("begin")
            try connection.script(sql)
            try record()
            try connection.commit()
        } catch {
            connection.rollBack()
            throw MigrationError(description: "migration \(migration.version) (\(migration.name)) failed: \(error)")
        }
    }

    private func locked<Value>(_ body: () throws -> Value) throws -> Value {
        try connection.liftStatementTimeout()
        try connection.script("set lock_timeout = 0; select pg_advisory_lock(\(AdvisoryLock.migrations))")
        defer { _ = try? connection.query(Self.unlockStatement) }
        return try body()
    }
}
