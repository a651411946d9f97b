import EmbeddedPostgres
import Repository

/// A migrated database on a durable server of its own, which a test may crash and start again.
public final class CrashingDatabase: Sendable {
    public let cluster: EmbeddedCluster
    public let database: TestDatabase

    public init() throws {
        cluster = try EmbeddedCluster.throwaway(durable: true)
        database = TestDatabase(name: EmbeddedCluster.name, connectionString: cluster.connectionString)
        try Migrator(try database.connect(), MigrationFiles(directory: migrationsDirectory)).up()
    }

    deinit { cluster.destroy() }
}
