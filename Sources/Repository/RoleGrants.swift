/// What the roles of a database may do: see `role_grants` in the migrations.
public enum RoleGrants {
    static let listStatement = Statement("role_grants", "select * from role_grants($1, $2, $3)")

    /// The statements that give each role what it needs, and take from it what it does not; nil for no such role.
    public static func list(
        worker: String?, operator: String?, auditor: String?, on connection: PostgresConnection
    ) throws(DatabaseError) -> [String] {
        let rows = try connection.query(listStatement, .text(worker), .text(`operator`), .text(auditor))
        return rows.indices.map { rows.string($0, 0) }
    }

    static let ownersStatement = Statement(
        "role_owners",
        """
        select r.rolname from pg_roles r
         where r.rolname = any ($1)
           and (r.rolsuper or exists (
                select from pg_class c where c.oid = 'batches'::regclass and pg_has_role(r.oid, c.relowner, 'member')))
         order by 1 limit 1
        """)

    /// The first of some roles from whom nothing can be kept; nil where there is none.
    public static func owners(
        among roles: [String], on connection: PostgresConnection
    ) throws(DatabaseError) -> String? {
        let rows = try connection.query(ownersStatement, .texts(roles) { $0 })
        return rows.count == 0 ? nil : rows.string(0, 0)
    }

    /// Carries them out, all or none.
    public static func apply(_ statements: [String], on connection: PostgresConnection) throws(DatabaseError) {
        try connection.transaction { () throws(DatabaseError) in
            for statement in statements { try connection.script(statement) }
        }
    }
}
