/// What those rest on who follow the books by ranges of batches.
public enum IndexesByBatch {
    static let builtStatement = Statement(
        "indexes_by_batch",
        """
        select not exists (
            select from pg_class c
             where (c.oid = 'operations'::regclass
                    or c.oid in (select inhrelid from pg_inherits where inhparent = 'trades'::regclass))
               and pg_relation_size(c.oid) > 8 << 20
               and not exists (select from pg_index x join pg_class n on n.oid = x.indexrelid
                                where x.indrelid = c.oid and x.indisvalid and n.relname = c.relname || '_by_batch'))
        """)

    /// Whether every table that is large is indexed by batch; before that, each range would take all of it.
    public static func areBuilt(on connection: PostgresConnection) throws(DatabaseError) -> Bool {
        try connection.query(builtStatement).bool(0, 0)
    }
}
