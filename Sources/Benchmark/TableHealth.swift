import Repository

/// How large a table is with its indexes, and what its updates leave behind; one of partitions counts as one.
public struct TableHealth: Sendable, Equatable {
    public let name: String
    public let liveRows: Int64
    public let deadRows: Int64
    public let tableBytes: Int64
    public let indexBytes: Int64
    public let updates: Int64
    /// Updates that touched no index.
    public let hotUpdates: Int64
    public let autovacuums: Int64

    /// What became of it between two moments.
    public struct Growth: Sendable, Equatable {
        public let updates: Int64
        public let hotUpdates: Int64
        public let autovacuums: Int64
        public let bytes: Int64

        init(from before: TableHealth, to after: TableHealth) {
            updates = after.updates - before.updates
            hotUpdates = after.hotUpdates - before.hotUpdates
            autovacuums = after.autovacuums - before.autovacuums
            bytes = after.tableBytes + after.indexBytes - before.tableBytes - before.indexBytes
        }

        /// Of 100 updates, how many touched no index; nil where there were none.
        public var hotPercent: Double? { updates > 0 ? 100 * Double(hotUpdates) / Double(updates) : nil }
    }

    public static let balances = "balances"
    static let tables = [balances, "trades", "ledger_entries", "batches"]

    /// Counts come from the statistics, to which a server's process adds about once a second.
    static let readStatement = Statement(
        "bench_table_health",
        """
        select r.name, coalesce(sum(s.n_live_tup), 0)::bigint, coalesce(sum(s.n_dead_tup), 0)::bigint,
               sum(pg_table_size(l.oid))::bigint, sum(pg_indexes_size(l.oid))::bigint,
               coalesce(sum(s.n_tup_upd), 0)::bigint, coalesce(sum(s.n_tup_hot_upd), 0)::bigint,
               coalesce(sum(s.autovacuum_count), 0)::bigint
          from unnest(array['\(tables.joined(separator: "', '"))']) with ordinality r (name, place)
          join lateral (select r.name::regclass as oid
                        union all select inhrelid from pg_inherits where inhparent = r.name::regclass) l on true
          left join pg_stat_all_tables s on s.relid = l.oid
         group by r.name, r.place order by r.place
        """)

    static func read(_ connection: PostgresConnection) throws(DatabaseError) -> [TableHealth] {
        let rows = try connection.query(readStatement)
        return rows.indices.map { row in
            TableHealth(
                name: rows.string(row, 0), liveRows: rows.int64(row, 1), deadRows: rows.int64(row, 2),
                tableBytes: rows.int64(row, 3), indexBytes: rows.int64(row, 4), updates: rows.int64(row, 5),
                hotUpdates: rows.int64(row, 6), autovacuums: rows.int64(row, 7))
        }
    }
}
