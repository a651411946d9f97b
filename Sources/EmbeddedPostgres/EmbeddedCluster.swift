import Foundation
import Glibc
import Synchronization

/// A lease on a private PostgreSQL server, which runs as long as anybody has one.
///
/// The lease is a shared lock on a file: it ends with `release()`, with the object, or with the process, however that
/// ends. After the last lease a separate process stops the server. All methods block the calling thread.
public final class EmbeddedCluster: Sendable {
    /// The role and the database that a new cluster has.
    public static let name = "settle"

    let server: Server
    private let lease: Mutex<FileLock?>

    /// Where the data lie.
    public var dataDirectory: String { server.home.data }
    /// The server's own log.
    public var serverLog: String { server.home.serverLog }
    /// How libpq reaches the database `settle`.
    public var connectionString: String { connectionString(database: Self.name) }

    /// How libpq reaches another database of the cluster.
    public func connectionString(database: String) -> String {
        [
            ("host", server.home.socketDirectory), ("port", "\(ClusterHome.port)"), ("user", Self.name),
            ("dbname", database),
        ].map { "\($0)=\(Self.quoted($1))" }.joined(separator: " ")
    }

    /// Whether nothing in the environment names another database. An empty variable counts as not set.
    public static func isWanted(
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) -> Bool {
        ["DATABASE_URL", "PGHOST", "PGSERVICE", "PGDATABASE", "PGPORT"]
            .allSatisfy { environment[$0, default: ""].isEmpty }
    }

    /// Whether `directory` has a cluster already; fails where it had one that is gone. Nothing is made or started.
    public static func exists(directory: String = ".settle") throws(EmbeddedPostgresError) -> Bool {
        try ClusterHome.checkThere(directory, rootParent: ClusterHome.rootParent)
        return ClusterHome.existingPath(of: directory, rootParent: ClusterHome.rootParent)
            .map { access("\($0)/data/PG_VERSION", F_OK) == 0 || errno == EACCES } ?? false
    }

    /// Gives a lease on the cluster of `directory`, which is created and started as needed.
    ///
    /// `log` is told what takes long: creating, starting, waiting for another process.
    public static func acquire(
        directory: String = ".settle", log: @escaping @Sendable (String) -> Void = { _ in }
    ) throws(EmbeddedPostgresError) -> EmbeddedCluster {
        try acquire(directory: directory, rootParent: ClusterHome.rootParent, log: log)
    }

    static func acquire(
        directory: String, rootParent: String, log: @escaping @Sendable (String) -> Void = { _ in }
    ) throws(EmbeddedPostgresError) -> EmbeddedCluster {
        let home = try ClusterHome.resolve(directory, rootParent: rootParent)
        return try EmbeddedCluster(home: home, settings: ServerSettings(), duty: .stop, log: log)
    }

    /// Gives a lease on a cluster of its own under `/tmp`, for a test: gone with the lease, even if the test is killed.
    ///
    /// Without `durable` it is faster and survives the death of its processes, but not that of the machine.
    public static func throwaway(
        durable: Bool = true, log: @escaping @Sendable (String) -> Void = { _ in }
    ) throws(EmbeddedPostgresError) -> EmbeddedCluster {
        let settings = ServerSettings(durable: durable, connectionsMax: 600, sharedBuffersMebibytes: 128)
        return try EmbeddedCluster(home: .temporary(), settings: settings, duty: .stopAndRemove, log: log)
    }

    private init(
        home: ClusterHome, settings: ServerSettings, duty: Keeper.Duty, log: @escaping @Sendable (String) -> Void
    ) throws(EmbeddedPostgresError) {
        server = try Server(home: home, settings: settings, duty: duty, log: log)
        lease = Mutex(try server.join())
    }

    deinit { release() }

    /// Ends the lease. If it was the last one, the server stops soon after.
    public func release() {
        lease.withLock { lock in
            // A keeper that was killed is replaced, or nobody would stop the server.
            if lock != nil { try? server.keeper.ensure() }
            lock = nil
        }
    }

    /// Ends the lease and waits until the server has stopped; false if others still use it after `timeout`.
    public func releaseAndWaitForStop(timeout: Duration = .seconds(60)) -> Bool {
        release()
        guard server.poll(until: timeout, { server.isStopped }) else { return false }
        // The keeper may still be watching the server's end; it gives the lock back when it is done.
        if server.keeper.duty == .stop, let users = try? FileLock(path: server.home.usersLock) {
            try? users.lock(.shared)
        }
        return true
    }

    /// Ends the lease. If it was the last one, waits until the server has stopped; others are not waited for.
    public func leave(stopTimeout: Duration) {
        let wasLast = lease.withLock { lock in
            guard lock != nil else { return false }
            try? server.keeper.ensure()
            // The last one can lock everybody out; or nobody in at all, when the keeper has been quicker.
            let isAlone = (try? lock?.tryLock(.exclusive)) ?? true
            let isShared = !isAlone && ((try? lock?.tryLock(.shared)) ?? false)
            lock = nil
            return !isShared
        }
        if wasLast { _ = releaseAndWaitForStop(timeout: stopTimeout) }
    }

    /// Ends the lease of a throw-away cluster and waits until it is removed. Any other keeps its data and is only
    /// released.
    public func destroy() {
        release()
        guard server.keeper.duty == .stopAndRemove else { return }
        _ = server.poll(until: .seconds(60)) { access(server.home.path, F_OK) != 0 }
    }

    /// Stops the server as a crash would, without a checkpoint; the lease stays.
    public func stopImmediately() throws(EmbeddedPostgresError) { try server.stopImmediately() }

    /// Starts the server again after `stopImmediately()`, and waits until it has recovered.
    public func start() throws(EmbeddedPostgresError) { try server.start() }

    /// libpq's quoting of a keyword's value.
    static func quoted(_ value: String) -> String {
        "'" + value.replacing("\\", with: "\\\\").replacing("'", with: "\\'") + "'"
    }
}
