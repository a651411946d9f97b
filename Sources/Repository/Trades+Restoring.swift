import TradeModel

/// How a trade that is missing comes back: as any other, waiting to be settled.
extension TradeStore {
    /// Stores those of the trades that are not there as PENDING, and writes down in the same transaction who did so.
    ///
    /// - Returns: the keys of those that were stored.
    public static func restore(
        _ trades: [Trade], on connection: PostgresConnection, as action: ([TradeKey]) -> OperatorAction
    ) throws(DatabaseError) -> [TradeKey] {
        guard !trades.isEmpty else { return [] }
        return try connection.transaction { () throws(DatabaseError) in
            let stored = decodeKeys(try connection.query(accept(trades)))
            if !stored.isEmpty { _ = try connection.pipeline([OperatorActionStore.record(action(stored))]) }
            return stored
        }
    }
}
