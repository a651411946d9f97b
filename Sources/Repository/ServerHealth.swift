import TradeModel

/// What a server says of its own state. It is only read, and as far as an ordinary role may.
public enum ServerHealth {
    /// A setting as it holds for this session, and where it was made.
    public struct Setting: Sendable {
        public let value: String
        /// PostgreSQL's own word: `default`, `configuration file`, `database`, `user`, `client`, …
        public let source: String
    }

    private static let settingsStatement = Statement(
        "health_settings", "select name, setting, source from pg_settings where name = any($1)")

    /// Those of the settings that the server knows.
    public static func settings(_ names: [String], _ connection: PostgresConnection) throws(DatabaseError)
        -> [String: Setting]
    {
        let rows = try connection.query(settingsStatement, .texts(names) { $0 })
        return Dictionary(
            rows.indices.map { (rows.string($0, 0), Setting(value: rows.string($0, 1), source: rows.string($0, 2))) }
        ) { first, _ in first }
    }

    /// Who and where we are.
    public struct Session: Sendable {
        public let role: String
        public let database: String
        /// Whether the server follows another one, and so takes no writes.
        public let isStandby: Bool
        /// Whether the sessions of other roles can be seen.
        public let seesAllSessions: Bool
        public let serverTime: Timestamp
    }

    private static let sessionStatement = Statement(
        "health_session",
        """
        select current_user::text, current_database()::text, pg_is_in_recovery(),
               pg_has_role('pg_read_all_stats', 'usage'), clock_timestamp()
        """)

    public static func session(_ connection: PostgresConnection) throws(DatabaseError) -> Session {
        let rows = try connection.query(sessionStatement)
        return Session(
            role: rows.string(0, 0), database: rows.string(0, 1), isStandby: rows.bool(0, 2),
            seesAllSessions: rows.bool(0, 3), serverTime: rows.timestamp(0, 4))
    }

    private static let scratchStatement = Statement(
        "health_scratch",
        """
        with wide as materialized (select repeat('.', 8000) from generate_series(1, 2048))
        select count(*) from wide
        """)

    /// Has the server write 16 MB beside the tables, as much as a segment of its log, and forget them.
    ///
    /// No write to a table would tell as much: there may be room left in its last page.
    public static func writeScratch(_ connection: PostgresConnection) throws(DatabaseError) {
        try connection.transaction { () throws(DatabaseError) in
            try connection.script("set local work_mem = '64kB'; set local temp_tablespaces = ''")
            try connection.query(scratchStatement)
        }
    }

    /// How many connections there may be, and are.
    public struct Room: Sendable, Equatable {
        /// Whose limit it is: the server's, our database's or our role's.
        public enum Owner: Sendable { case server, database, role }

        public let owner: Owner
        public let limit: Int
        public let used: Int

        public var free: Int { max(0, limit - used) }
    }

    private static let roomStatement = Statement(
        "health_room",
        """
        select (select sum(setting::bigint * case name when 'max_connections' then 1 else -1 end) from pg_settings
                 where name in ('max_connections', 'superuser_reserved_connections', 'reserved_connections'))::bigint,
               (select sum(numbackends) from pg_stat_database)::bigint,
               d.datconnlimit::bigint, s.numbackends::bigint, r.rolconnlimit::bigint,
               (select count(*) from pg_stat_activity where usename = current_user)
          from pg_database d join pg_stat_database s on s.datid = d.oid, pg_roles r
         where d.datname = current_database() and r.rolname = current_user
        """)

    /// The limit that will be met first.
    public static func room(_ connection: PostgresConnection) throws(DatabaseError) -> Room {
        let rows = try connection.query(roomStatement)
        var room = Room(owner: .server, limit: Int(rows.int64(0, 0)), used: Int(rows.int64(0, 1)))
        for (owner, column) in [(Room.Owner.database, 2), (.role, 4)] where rows.int64(0, column) >= 0 {
            let other = Room(
                owner: owner, limit: Int(rows.int64(0, column)), used: Int(rows.int64(0, column + 1)))
            if other.free < room.free { room = other }
        }
        return room
    }

    /// A table whose dead rows pile up, or would.
    public struct NeglectedTable: Sendable {
        public let name: String
        public let deadRows: Int64
        public let liveRows: Int64
        public let isExcluded: Bool
        public let lastVacuum: Timestamp?
    }

    private static let neglectedStatement = Statement(
        "health_neglected_tables",
        """
        select * from (
            select c.relname::text, coalesce(s.n_dead_tup, 0) as dead, coalesce(s.n_live_tup, 0) as live,
                   exists (select from pg_options_to_table(c.reloptions)
                            where option_name = 'autovacuum_enabled' and not option_value::boolean) as excluded,
                   greatest(s.last_autovacuum, s.last_vacuum)
              from pg_class c left join pg_stat_user_tables s on s.relid = c.oid
             where c.relkind = 'r'
               and c.relnamespace = (select relnamespace from pg_class where oid = to_regclass('balances'))) t
         where excluded or dead > $1 and dead > live
         order by dead desc limit 5
        """)

    /// - Parameter deadRowsMax: fewer dead rows than this are no matter.
    public static func neglectedTables(deadRowsMax: Int64, _ connection: PostgresConnection) throws(DatabaseError)
        -> [NeglectedTable]
    {
        let rows = try connection.query(neglectedStatement, .int8(deadRowsMax))
        return rows.indices.map {
            NeglectedTable(
                name: rows.string($0, 0), deadRows: rows.int64($0, 1), liveRows: rows.int64($0, 2),
                isExcluded: rows.bool($0, 3), lastVacuum: rows.optional($0, 4, rows.timestamp))
        }
    }

    private static let invalidIndexesStatement = Statement(
        "health_invalid_indexes",
        """
        select i.indexrelid::regclass::text
          from pg_index i join pg_class c on c.oid = i.indrelid
         where c.relnamespace = (select relnamespace from pg_class where oid = to_regclass('balances'))
           and not (i.indisvalid and i.indisready)
           and not exists (select from pg_stat_progress_create_index p where p.index_relid = i.indexrelid)
         order by 1 limit 5
        """)

    /// Indexes that nobody can use and nobody is building.
    public static func invalidIndexes(_ connection: PostgresConnection) throws(DatabaseError) -> [String] {
        let rows = try connection.query(invalidIndexesStatement)
        return rows.indices.map { rows.string($0, 0) }
    }
}
