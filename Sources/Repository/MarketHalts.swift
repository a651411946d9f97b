import TradeModel

/// A market that is halted, and the operator who did it.
public struct MarketHalt: Sendable {
    public let market: MarketSymbol
    /// nil, like the rest, where nobody has left a record of it.
    public let since: Timestamp?
    public let actor: String?
    public let reason: String?
}

extension MarketStore {
    static let haltsStatement = Statement(
        "markets_halts",
        """
        select m.symbol, a.at, a.actor, a.reason
          from markets m
          left join lateral (
               select at, actor, action, reason from operator_actions
                where subject = ('market ' || m.symbol) collate "C" order by action_no desc limit 1) a
                 on a.action = 'halt'
         where m.halted and ($1::text is null or m.symbol = $1)
         order by m.symbol
        """)

    /// The markets that are halted, or one of them.
    public static func halts(of market: MarketSymbol? = nil) -> Request {
        Request(haltsStatement, [.text(market?.text)])
    }

    public static func decodeHalts(_ rows: Rows) -> [MarketHalt] {
        rows.indices.map { row in
            MarketHalt(
                market: MarketSymbol(rows.string(row, 0))!, since: rows.optional(row, 1, rows.timestamp),
                actor: rows.optional(row, 2, rows.string), reason: rows.optional(row, 3, rows.string))
        }
    }
}
