/// One moment of the books, kept for as long as something long takes, which is done in many short transactions.
///
/// A connection of its own holds it, which writes nothing. So however long the whole takes, no transaction that writes
/// is open for longer than one step, and nobody waits for it who reads only what is certain.
public struct HeldSnapshot {
    private let holder: PostgresConnection
    private let name: String

    private static let exportStatement = Statement("snapshot_export", "select pg_export_snapshot()")

    /// - Parameter holder: a connection that is used for nothing else until ``release()``.
    public init(_ holder: PostgresConnection) throws(DatabaseError) {
        self.holder = holder
        try holder.script("set idle_in_transaction_session_timeout = 0")
        try holder.query(.beginSnapshot)
        name = try holder.query(Self.exportStatement).string(0, 0)
    }

    /// Ends it.
    public func release() { holder.rollBack() }

    /// Runs `body` in a transaction that sees the books as they were at that moment.
    public func read<Value>(
        _ connection: PostgresConnection, _ body: () throws(DatabaseError) -> Value
    ) throws(DatabaseError) -> Value {
        try connection.script("begin isolation level repeatable read; set transaction snapshot '\(name)'")
        do {
            let value = try body()
            try connection.commit()
            return value
        } catch {
            connection.rollBack()
            throw error
        }
    }
}
