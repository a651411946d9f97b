import AuditTrail

/// The SQL for the lines that a seal covers: the canonical form that docs/tamper-evidence.md lays down.
///
/// It takes the bounds of the stretch as $1 and $2. Every line of a table is one text, so that its digest is that of a
/// file which anybody can write with COPY.
enum SealedLines {
    /// A query of a table's rows as they stand, of so many at most.
    ///
    /// - Parameter limit: the SQL for how many; `null` for all.
    private static func rows(_ table: SealedTable, limit: String) -> String {
        let isInStretch = "batch_no >= $1 and batch_no < $2"
        return switch table {
        case .batches: "select * from batches where \(isInStretch) order by batch_no limit \(limit)"
        case .entries: "select * from ledger_entries where \(isInStretch) order by batch_no, place limit \(limit)"
        case .trades:
            """
            select * from trades where \(isInStretch) and status = 'SETTLED'
             order by batch_no, market, trade_id limit \(limit)
            """
        case .operations: "select * from operations where \(isInStretch) order by batch_no, key limit \(limit)"
        case .reversals:
            "select * from reversals where \(isInStretch) order by batch_no, market, trade_id limit \(limit)"
        case .assets:
            """
            select s.* from assets s
             where s.asset_no in (select asset_no from sealed_entries union select asset_no from sealed_operations union
                                  select unnest(array[m.base_no, m.quote_no]) from sealed_markets m)
            """
        case .markets:
            """
            select m.* from markets m
             where m.market_no in (select market_no from sealed_entries)
                or m.symbol in (select market from sealed_trades)
            """
        }
    }

    /// What the rows of a table are called within a statement.
    private static func name(_ table: SealedTable) -> String { "sealed_\(table.rawValue)" }

    /// Rows of tables in which others are looked up come after these.
    private static let order: [SealedTable] = [
        .batches, .entries, .trades, .operations, .reversals, .markets, .assets,
    ]

    /// Definitions for `with` in which each table's rows have a name.
    ///
    /// - Parameter limit: the SQL for how many rows of a table there may be at most.
    private static func definitions(_ tables: [SealedTable], limit: (SealedTable) -> String) -> String {
        order.filter(tables.contains)
            .map { "\(name($0)) as materialized (\(rows($0, limit: limit($0))))" }.joined(separator: ",\n")
    }

    /// The fields of a line, all of them texts that are never null, and what the lines are joined with and ordered by.
    private static func form(_ table: SealedTable) -> (fields: [String], joins: String, order: String) {
        switch table {
        case .batches:
            (
                [
                    "r.batch_no", time("r.committed_at"), optional("r.worker_no"), "r.transaction", "r.trades",
                    "r.operations", "r.rejected", "r.entries",
                ], "", "r.batch_no"
            )
        case .entries:
            (
                [
                    "r.batch_no", "r.place", optional("a.kind"), text("a.id"), text("s.symbol"), "r.version", "r.kind",
                    text("m.symbol"), text("r.cause_id"), "r.available_delta", "r.frozen_delta", "r.available_after",
                    "r.frozen_after",
                ],
                """
                left join accounts a on a.account_no = r.account_no left join assets s on s.asset_no = r.asset_no
                left join markets m on m.market_no = r.market_no
                """, "r.batch_no, r.place"
            )
        case .trades:
            (
                [
                    "r.batch_no", text("r.market"), text("r.trade_id"), "r.received_seq", "r.price", "r.quantity",
                    text("r.buyer_id"), text("r.seller_id"), "r.buyer_fee", "r.seller_fee", optional("r.taker"),
                    text("r.buy_order_id"), text("r.sell_order_id"), time("r.executed_at"), time("r.received_at"),
                    time("r.settled_at"), text("r.stream"), optional("r.stream_seq"),
                ], "", "r.batch_no, r.market, r.trade_id"
            )
        case .operations:
            (
                [
                    "r.batch_no", text("r.key"), "r.kind", optional("a.kind"), text("a.id"), text("s.symbol"),
                    "r.amount", text("r.stream"), optional("r.stream_seq"), text("r.order_id"), time("r.applied_at"),
                ],
                """
                left join accounts a on a.account_no = r.account_no left join assets s on s.asset_no = r.asset_no
                """, "r.batch_no, r.key"
            )
        case .reversals:
            (
                ["r.batch_no", text("r.market"), text("r.trade_id"), text("r.actor"), text("r.reason")], "",
                "r.batch_no, r.market, r.trade_id"
            )
        case .assets: ([text("r.symbol"), "r.decimals"], "", "r.symbol")
        case .markets:
            (
                [text("r.symbol"), text("b.symbol"), text("q.symbol"), "r.fees"],
                "left join assets b on b.asset_no = r.base_no left join assets q on q.asset_no = r.quote_no",
                "r.symbol"
            )
        }
    }

    /// `concat_ws` leaves out what is null, so nothing is.
    private static func optional(_ column: String) -> String { #"coalesce(\#(column)::text, '\N')"# }

    /// Infinity is written so, too: a calendar's form would have it as nothing.
    private static func time(_ column: String) -> String {
        optional("trunc(extract(epoch from \(column)) * 1000000)")
    }

    /// As COPY writes a text. Hardly any has one of these characters: that is asked first.
    private static func text(_ column: String) -> String {
        let escapes = [
            (#"E'\\'"#, #"'\\'"#), (#"E'\b'"#, #"'\b'"#), (#"E'\t'"#, #"'\t'"#), (#"E'\n'"#, #"'\n'"#),
            (#"E'\x0b'"#, #"'\v'"#), (#"E'\f'"#, #"'\f'"#), (#"E'\r'"#, #"'\r'"#),
        ]
        let escaped = escapes.reduce(column) { "replace(\($0), \($1.0), \($1.1))" }
        let plain = #"translate(\#(column), E'\\\b\t\n\x0b\f\r', '') = \#(column)"#
        return optional("case when \(plain) then \(column) else \(escaped) end")
    }

    private static func lines(_ table: SealedTable) -> (query: String, order: String) {
        let (fields, joins, order) = form(table)
        let line = "concat_ws(E'\\t', \(fields.joined(separator: ", ")))"
        return ("select \(line) collate \"C\" as line, r.* from \(name(table)) r \(joins)", order)
    }

    /// How many lines each table has in the stretch and their digests, as one row.
    ///
    /// $3 is how many rows of each table may be gone through; null for all. What is beyond is as good as another
    /// content, and an error in nobody's memory.
    static let digestsStatement = Statement(
        "sealed_digests",
        "with \(definitions(SealedTable.allCases) { limited($0) })\nselect "
            + SealedTable.allCases.map { table in
                "l_\(table.rawValue).count, l_\(table.rawValue).digest"
            }.joined(separator: ", ") + ", clock_timestamp()\n  from "
            + SealedTable.allCases.map { table in
                let (query, order) = lines(table)
                return """
                    (select count(*), sha256(convert_to(
                        coalesce(string_agg(r.line || E'\\n', '' order by \(order), r.line), ''), 'UTF8')) as digest
                       from (\(query)) r) l_\(table.rawValue)
                    """
            }.joined(separator: ",\n       "))

    /// The element of an array in which the bounds of the tables stand.
    private static func limited(_ table: SealedTable) -> String {
        "($3::bigint[])[\(SealedTable.allCases.firstIndex(of: table)! + 1)]"
    }

    /// The lines of one table, in their order.
    static func statement(_ table: SealedTable) -> Statement {
        let needed: [SealedTable] =
            switch table {
            case .assets: [.entries, .trades, .operations, .markets, .assets]
            case .markets: [.entries, .trades, .markets]
            default: [table]
            }
        let (query, order) = lines(table)
        return Statement(
            "sealed_lines_\(table.rawValue)",
            """
            with \(definitions(needed) { _ in "null" })
            select r.line from (\(query)) r order by \(order), r.line
            """)
    }
}
