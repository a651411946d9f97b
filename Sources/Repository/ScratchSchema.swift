/// A schema into which a rebuild writes its results, apart from the books.
public struct ScratchSchema: Sendable {
    /// What stands at the door of such a schema: one without it is somebody else's.
    private static let mark = "What 'settle rebuild --into' made; it replaces this at its next run."
    static let tableNames = ["balances", "ledger_sums"]

    public let name: String

    /// nil where no schema is called so without quotes.
    public init?(_ name: String) {
        guard name.wholeMatch(of: /[a-z_][a-z0-9_]{0,62}/) != nil, !name.hasPrefix("pg_") else { return nil }
        self.name = name
    }

    public enum Standing: Sendable, Equatable {
        case absent
        /// Made by a rebuild before.
        case ours
        /// Somebody else's, or somebody has put more into it.
        case foreign
    }

    private static let standingStatement = Statement(
        "scratch_schema_standing",
        """
        select obj_description(n.oid, 'pg_namespace') = $2
               and not exists (select from pg_class c
                                where c.relnamespace = n.oid and c.relkind <> 't' and c.relname <> all ($3))
               and not exists (select from pg_proc p where p.pronamespace = n.oid)
          from pg_namespace n where n.nspname = $1
        """)

    /// Whose it is.
    public func standing(_ connection: PostgresConnection) throws(DatabaseError) -> Standing {
        let rows = try connection.query(
            Self.standingStatement, .text(name), .text(Self.mark), .texts(Self.tableNames) { $0 })
        guard rows.count > 0 else { return .absent }
        return rows.optional(0, 0, rows.bool) == true ? .ours : .foreign
    }

    /// Writes what was rebuilt, in the place of what an earlier run wrote.
    ///
    /// The tables need not survive a crash, and are not written twice therefore.
    func write(_ connection: PostgresConnection) throws(DatabaseError) {
        let replaced = try standing(connection) == .ours ? "drop schema \"\(name)\" cascade;" : ""
        // One message is one transaction.
        try connection.script(
            """
            \(replaced)
            create schema "\(name)";
            comment on schema "\(name)" is '\(Self.mark.replacing("'", with: "''"))';
            create unlogged table "\(name)".balances as \(Rebuild.balanceRows);
            create unlogged table "\(name)".ledger_sums as \(Rebuild.sumRows);
            """)
    }
}
