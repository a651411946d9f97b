import Repository
import TradeModel

/// One connection that settles one trade at a time: statement by statement, or by one call of a function.
final class SingleTradeWorker: OpponentWorker {
    private let connection: PostgresConnection
    private let statements: Statements
    private let generator: LoadGenerator
    private let line: LoadLine
    private let house: Int64
    private let callsFunction: Bool
    private var place: Int
    private let stride: Int

    /// - Parameter house: the account that receives this connection's fees, numbered from 1.
    init(
        _ connection: PostgresConnection, tables name: String, callsFunction: Bool, generator: LoadGenerator,
        run: String, first: Int, stride: Int, house: Int
    ) {
        self.connection = connection
        self.callsFunction = callsFunction
        self.generator = generator
        self.house = Int64(-house)
        self.stride = stride
        line = LoadLine(run: run)
        statements = Statements(name)
        place = first
    }

    func step() throws -> Int {
        let trade = generator.trade(generator.number(at: place))
        place += stride
        do throws(DatabaseError) {
            return try callsFunction ? call(trade) : settle(trade)
        } catch {
            // Too little money, or a trade that was there.
            guard error.sqlState == "P0001" || error.sqlState == DatabaseError.uniqueViolation else { throw error }
            return 0
        }
    }

    /// One change of one balance.
    private struct Move {
        let account: Int64
        let asset: Int32
        let delta: Int
        let kind: String
    }

    /// In the order of the keys, so that two transactions never wait for each other in a ring; the house last.
    private func moves(_ trade: LoadTrade) -> [Move] {
        let buyer = [
            Move(
                account: Int64(trade.buyer), asset: OpponentTables.baseNumber,
                delta: trade.quantity - trade.buyerFee, kind: "trade"),
            Move(
                account: Int64(trade.buyer), asset: OpponentTables.quoteNumber, delta: -trade.quote, kind: "trade"),
        ]
        let seller = [
            Move(
                account: Int64(trade.seller), asset: OpponentTables.baseNumber, delta: -trade.quantity, kind: "trade"),
            Move(
                account: Int64(trade.seller), asset: OpponentTables.quoteNumber,
                delta: trade.quote - trade.sellerFee, kind: "trade"),
        ]
        return (trade.buyer < trade.seller ? buyer + seller : seller + buyer) + [houseMove(trade)]
    }

    private func houseMove(_ trade: LoadTrade) -> Move {
        Move(
            account: house, asset: trade.buyerTakes ? OpponentTables.baseNumber : OpponentTables.quoteNumber,
            delta: trade.buyerTakes ? trade.buyerFee : trade.sellerFee, kind: "fee")
    }

    private func content(_ trade: LoadTrade) -> [Parameter] {
        [
            .text(LoadLine.market), .text(line.id(trade.number)), Self.number(trade.priceCents, scale: 2),
            Self.number(trade.quantity, scale: 8), .int8(Int64(trade.buyer)), .int8(Int64(trade.seller)),
            Self.number(trade.buyerFee, scale: 8), Self.number(trade.sellerFee, scale: 6),
        ]
    }

    private static func number(_ units: Int, scale: Int = 0) -> Parameter {
        .numeric(DecimalNumber(Int128(units), scale: scale))
    }

    private func ask(_ statement: Statement, _ parameters: [Parameter] = []) throws(DatabaseError) -> Rows {
        try connection.query(Request(statement, parameters))
    }

    private func settle(_ trade: LoadTrade) throws(DatabaseError) -> Int {
        try connection.transaction { () throws(DatabaseError) in
            let id = line.id(trade.number)
            guard try ask(statements.find, [.text(LoadLine.market), .text(id)]).count == 0 else { return 0 }
            _ = try ask(statements.insert, content(trade))
            var entries: [Parameter] = []
            for move in moves(trade) {
                let answer = try ask(
                    statements.update, [.int8(move.account), .int4(move.asset), Self.number(move.delta)])
                guard answer.count == 1 else {
                    throw DatabaseError(sqlState: "P0001", message: "insufficient funds")
                }
                entries += [
                    .int8(move.account), .int4(move.asset), .int8(answer.int64(0, 1)), .text(move.kind),
                    Self.number(move.delta), .numeric(answer.decimal(0, 0)),
                ]
            }
            _ = try ask(statements.append, [.text(id)] + entries)
            return 1
        }
    }

    private func call(_ trade: LoadTrade) throws(DatabaseError) -> Int {
        let fee = houseMove(trade)
        _ = try ask(
            statements.call,
            content(trade) + [
                Self.number(trade.quantity), Self.number(trade.quantity - trade.buyerFee), Self.number(trade.quote),
                Self.number(trade.quote - trade.sellerFee), .int8(house), .int4(fee.asset), Self.number(fee.delta),
            ])
        return 1
    }

    private struct Statements {
        let find: Statement
        let insert: Statement
        let update: Statement
        let append: Statement
        let call: Statement

        init(_ name: String) {
            find = Statement("find", "select 1 from \(name)_trades where market = $1 and trade_id = $2")
            insert = Statement(
                "insert",
                """
                insert into \(name)_trades (market, trade_id, price, quantity, buyer_no, seller_no, buyer_fee,
                                         seller_fee)
                values ($1, $2, $3, $4, $5, $6, $7, $8)
                """)
            update = Statement(
                "update",
                """
                update \(name)_balances set available = available + $3, version = version + 1
                 where account_no = $1 and asset_no = $2 and (available + $3 >= 0 or account_no < 0)
                returning available, version
                """)
            let rows = (0..<5).map { row in
                let first = 2 + row * 6
                return "($1, \((first..<first + 6).map { "$\($0)" }.joined(separator: ", ")))"
            }
            append = Statement(
                "append",
                """
                insert into \(name)_entries (trade_id, account_no, asset_no, version, kind, delta, balance_after)
                values \(rows.joined(separator: ", "))
                """)
            call = Statement(
                "call",
                """
                select \(name)_settle($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
                """)
        }
    }
}
