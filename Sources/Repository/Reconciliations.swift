import TradeModel

/// Tables `reconciliation_jobs` and `reconciliation_errors`.
public enum ReconciliationStore {
    static let recordJobStatement = Statement(
        "reconciliation_jobs_record",
        """
        insert into reconciliation_jobs (stream, sequence, watermark, started_at, actor, accounts, balances,
                                         differences)
        values ($1, $2, $3, $4, $5, $6, $7, $8) returning job_no
        """)

    static let recordErrorsStatement = Statement(
        "reconciliation_errors_record",
        """
        insert into reconciliation_errors (job_no, number, kind, account, asset, engine_available, ledger_available,
                                           engine_held, ledger_held, explanation)
        select $1, row_number() over (), d.kind::account_kind, d.account, d.asset, d.engine_available,
               d.ledger_available, d.engine_held, d.ledger_held, d.explanation
          from (select unnest($2) as kind, unnest($3) as account, unnest($4) as asset,
                       unnest($5) as engine_available, unnest($6) as ledger_available, unnest($7) as engine_held,
                       unnest($8) as ledger_held, unnest($9) as explanation) d
        """)

    /// Writes down what a comparison came to, and returns its number.
    public static func record(
        _ found: BalanceReconciliation, actor: String, on connection: PostgresConnection
    ) throws(DatabaseError) -> Int64 {
        try connection.transaction { () throws(DatabaseError) in
            let job = try connection.query(
                recordJobStatement, .text(found.stream.text), .int8(found.sequence), .int8(found.watermark),
                .timestamp(found.startedAt), .text(actor), .int8(found.accountCount), .int8(found.balanceCount),
                .int8(found.differenceCount)
            ).int64(0, 0)
            let errors = found.differences
            guard !errors.isEmpty else { return job }
            try connection.query(
                recordErrorsStatement, .int8(job), .texts(errors) { $0.kind.rawValue },
                .texts(errors) { $0.account.text }, .texts(errors) { $0.asset.text },
                .decimals(errors) { DecimalNumber($0.engine.available, decimals: $0.decimals) },
                .decimals(errors) { DecimalNumber($0.ledger.available, decimals: $0.decimals) },
                .decimals(errors) { DecimalNumber($0.engine.held, decimals: $0.decimals) },
                .decimals(errors) { DecimalNumber($0.ledger.held, decimals: $0.decimals) },
                .texts(errors) { $0.explanation })
            return job
        }
    }
}
