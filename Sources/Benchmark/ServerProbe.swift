import Foundation
import Repository

/// What the server says of itself, and what it uses, where that can be told.
struct ServerProbe {
    private let connection: PostgresConnection
    /// The process above all of the server's; nil where the server is on another machine.
    private let postmaster: Int32?

    init(_ connection: PostgresConnection) throws(DatabaseError) {
        self.connection = connection
        let backend = try connection.query(Self.backendStatement).int32(0, 0)
        postmaster = ProcessStatus(of: backend).flatMap { $0.name == "postgres" ? $0.parent : nil }
    }

    /// Where the server's log of changes ends, in bytes since its beginning.
    func walPosition() throws(DatabaseError) -> Int64 {
        try connection.query(Self.walStatement).int64(0, 0)
    }

    /// The processor time of all of the server's processes that live now.
    func serverSeconds() -> Double? {
        guard let postmaster else { return nil }
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return names.compactMap { Int32($0) }.compactMap { ProcessStatus(of: $0) }
            .filter { $0.parent == postmaster }.reduce(0) { $0 + $1.seconds }
    }

    struct Sizes: Sendable {
        var rows: Int64
        var bytes: Int64
    }

    /// The rows that settling has appended so far, and the size of all tables and indexes of ours.
    func sizes() throws(DatabaseError) -> Sizes {
        let rows = try connection.query(Self.sizesStatement, .text(OpponentTables.namePattern))
        return Sizes(rows: rows.int64(0, 0), bytes: rows.int64(0, 1))
    }

    func settings() throws(DatabaseError) -> [(name: String, value: String)] {
        let rows = try connection.query(Self.settingsStatement)
        return rows.indices.map { (rows.string($0, 0), rows.string($0, 1)) }
    }

    /// The server's version as it names it, and its major number.
    func version() throws(DatabaseError) -> (text: String, major: Int) {
        let rows = try connection.query(Self.versionStatement)
        return (rows.string(0, 0), Int(rows.int32(0, 1)))
    }

    private static let backendStatement = Statement("bench_backend", "select pg_backend_pid()")
    private static let walStatement = Statement(
        "bench_wal", "select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint")
    private static let versionStatement = Statement(
        "bench_version",
        "select current_setting('server_version'), current_setting('server_version_num')::integer / 10000")
    private static let sizesStatement = Statement(
        "bench_sizes",
        """
        select (select coalesce(sum(trades + entries + 1), 0)::bigint from batches),
               (select sum(pg_total_relation_size(oid))::bigint from pg_class
                 where relnamespace = (select relnamespace from pg_class where oid = 'batches'::regclass)
                   and relkind = 'r' and relname !~ $1)
        """)
    private static let settingsStatement = Statement(
        "bench_settings",
        """
        select name, current_setting(name) from pg_settings
         where name in ('synchronous_commit', 'fsync', 'full_page_writes', 'wal_level', 'wal_compression',
                        'commit_delay', 'shared_buffers', 'max_wal_size', 'checkpoint_timeout',
                        'synchronous_standby_names', 'autovacuum', 'data_checksums', 'track_io_timing',
                        'max_connections')
         order by name
        """)
}

/// A process as `/proc` shows it.
struct ProcessStatus {
    let name: String
    let parent: Int32
    /// Processor time, user and system.
    let seconds: Double

    init?(of process: Int32) {
        guard let text = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8),
            let open = text.firstIndex(of: "("), let close = text.lastIndex(of: ")")
        else { return nil }
        name = String(text[text.index(after: open)..<close])
        let fields = text[text.index(after: close)...].split(separator: " ")
        guard fields.count > 13, let parent = Int32(fields[1]), let user = Double(fields[11]),
            let system = Double(fields[12])
        else { return nil }
        self.parent = parent
        seconds = (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }
}
