import TradeModel

/// The steps of a market, which only engines and people read.
public struct MarketSteps: Sendable {
    public let tick: DecimalNumber?
    public let lot: DecimalNumber?
}

/// Table `markets`: halting them, and what only people ask of them.
public enum MarketStore {
    static let stepsStatement = Statement("markets_steps", "select symbol, tick, lot from markets order by symbol")

    public static var steps: Request { Request(stepsStatement) }

    public static func decodeSteps(_ rows: Rows) -> [MarketSymbol: MarketSteps] {
        Dictionary(
            uniqueKeysWithValues: rows.indices.map { row in
                (
                    MarketSymbol(rows.string(row, 0))!,
                    MarketSteps(
                        tick: rows.optional(row, 1, rows.decimal) ?? nil,
                        lot: rows.optional(row, 2, rows.decimal) ?? nil)
                )
            })
    }

    static let closeOffStatement = Statement(
        "markets_close_off", "select pg_advisory_xact_lock(\(AdvisoryLock.market), $1)")
    static let setHaltedStatement = Statement(
        "markets_set_halted", "update markets set halted = $2 where market_no = $1 and halted <> $2")

    /// Halts a market or lets it go on, once the batches that are just settling in it have committed, and records who
    /// did it. After a halt has returned, no trade of the market is settled.
    ///
    /// - Returns: whether that is new.
    public static func setHalted(
        _ isHalted: Bool, _ market: Market, actor: String, reason: String, on connection: PostgresConnection
    ) throws(DatabaseError) -> Bool {
        try connection.transaction { () throws(DatabaseError) in
            _ = try connection.query(closeOffStatement, .int4(market.number))
            let isNew = try connection.query(setHaltedStatement, .int4(market.number), .bool(isHalted)).affected == 1
            if isNew {
                try connection.query(
                    OperatorActionStore.record(
                        OperatorAction(
                            isHalted ? .halt : .resume, .market(market.symbol), actor: actor, reason: reason)))
            }
            return isNew
        }
    }
}
