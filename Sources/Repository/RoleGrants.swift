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

    /// Carries them out, all or none.
    public static func apply(_ statements: [String], on connection: PostgresConnection) throws(DatabaseError) {
        try connection.transaction { () throws(DatabaseError) in
            for statement in statements { try connection.script(statement) }
        }
    }
}
