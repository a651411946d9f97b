/// What our own tables say of the state of the service.
extension ServerHealth {
    private static let rangesStatement = Statement(
        "health_ledger_ranges",
        """
        select to_regclass('ledger_entries_' || ledger_range_of(last_value)) is not null
               and to_regclass('ledger_entries_' || ledger_range_of(last_value) + 1) is not null
          from batch_numbers
        """)

    /// Whether the ledger has the range that is written to, and the next one.
    public static func hasLedgerRanges(_ connection: PostgresConnection) throws(DatabaseError) -> Bool {
        try connection.query(rangesStatement).bool(0, 0)
    }

    /// What proves the books beside the settling is connected as the role of its worker.
    private static let barredStatement = Statement(
        "health_barred_roles",
        """
        select w.usename, min(c.relname)
          from (select distinct usesysid, usename from pg_stat_activity
                 where datname = current_database() and application_name = 'settle proofs') w
          join pg_class c on c.relnamespace = (select relnamespace from pg_class where oid = 'batches'::regclass)
         where c.relkind in ('r', 'p') and not c.relispartition and not has_table_privilege(w.usesysid, c.oid, 'select')
         group by 1 order by 1
        """)

    /// Roles of workers that may not read a table, and the first such table: a migration made it after their grants.
    public static func barredRoles(
        _ connection: PostgresConnection
    ) throws(DatabaseError) -> [(role: String, table: String)] {
        let rows = try connection.query(barredStatement)
        return rows.indices.map { (rows.string($0, 0), rows.string($0, 1)) }
    }
}
