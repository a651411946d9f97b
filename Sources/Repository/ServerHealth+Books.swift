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
}
