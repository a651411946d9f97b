import TradeModel

extension ReconciliationStore {
    static let recordTradesJobStatement = Statement(
        "reconciliation_jobs_record_trades",
        """
        insert into reconciliation_jobs (compared, source, stream, sequence, watermark, started_at, actor, trades,
                                         refused, differences)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) returning job_no
        """)

    static let recordTradeErrorsStatement = Statement(
        "reconciliation_errors_record_trades",
        """
        insert into reconciliation_errors (job_no, number, finding, place, market, trade_id, field, theirs, ours,
                                           letter_no)
        select $1, row_number() over (), e.*
          from (select unnest($2), unnest($3), unnest($4), unnest($5), unnest($6), unnest($7), unnest($8),
                       unnest($9)) e
        """)

    /// Writes down what a comparison of trades came to, and returns its number.
    public static func record(
        _ found: TradeReconciliation, actor: String, on connection: PostgresConnection
    ) throws(DatabaseError) -> Int64 {
        let place: [Parameter] =
            switch found.side {
            case .file(let name): [.text("file"), .text(name), .text(nil), .int8(nil), .int8(nil)]
            case .engine(let stream, let sequence, let watermark):
                [.text("trades"), .text(nil), .text(stream.text), .int8(sequence), .int8(watermark)]
            }
        return try connection.transaction { () throws(DatabaseError) in
            let job = try connection.query(
                Request(
                    recordTradesJobStatement,
                    place + [
                        .timestamp(found.startedAt), .text(actor), .int8(found.tradeCount), .int8(found.refusedCount),
                        .int8(found.findingCount),
                    ])
            ).int64(0, 0)
            let errors = found.findings
            guard !errors.isEmpty else { return job }
            try connection.query(
                recordTradeErrorsStatement, .int8(job), .texts(errors) { $0.kind.rawValue },
                .int8s(errors, \.place), .texts(errors) { $0.market }, .texts(errors) { $0.id },
                .texts(errors) { $0.field }, .texts(errors) { $0.theirs }, .texts(errors) { $0.ours },
                .int8s(errors, \.letter))
            return job
        }
    }
}
