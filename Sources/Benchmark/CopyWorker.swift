import Repository
import TradeModel

/// One connection that copies rows of trades into a table, thousands at a time. The rows are made once; each time
/// only their keys are other ones, so that what is measured is the server.
final class CopyWorker: OpponentWorker {
    private let connection: PostgresConnection
    private let rows = CopyRows()
    private var idOffsets: [Int] = []
    private let idPrefix: String
    private var next = 0

    private static let rowCount = 2_000
    private static let digits = 9

    init(_ connection: PostgresConnection, generator: LoadGenerator, run: String, number: Int) {
        self.connection = connection
        idPrefix = "\(run)-\(number)-"
        for place in 0..<Self.rowCount {
            let trade = generator.trade(place)
            let offsets = rows.append(row(trade))
            idOffsets.append(offsets[1] + idPrefix.utf8.count)
        }
        rows.finish()
    }

    private static let columns = """
        market, trade_id, price, quantity, buyer_id, seller_id, buyer_fee, seller_fee, executed_at, received_at,
        settled_at, batch_no, received_seq, attempts, status, taker
        """

    private func row(_ trade: LoadTrade) -> [Parameter] {
        let time = Timestamp(microseconds: 1_767_322_000_000_000 + Int64(trade.number))
        func number(_ units: Int, _ scale: Int) -> Parameter { .numeric(DecimalNumber(Int128(units), scale: scale)) }
        return [
            .text(LoadLine.market), .text(idPrefix + String(repeating: "0", count: Self.digits)),
            number(trade.priceCents, 2), number(trade.quantity, 8), .text(LoadLine.accountID(trade.buyer)),
            .text(LoadLine.accountID(trade.seller)), number(trade.buyerFee, 8), number(trade.sellerFee, 6),
            .timestamp(time), .timestamp(time), .timestamp(time), .int8(1), .int8(Int64(trade.number)), .int4(1),
            .text("SETTLED"), .text(trade.buyerTakes ? "buyer" : "seller"),
        ]
    }

    func step() throws -> Int {
        for offset in idOffsets {
            var rest = next
            for place in (0..<Self.digits).reversed() {
                rows.overwrite(at: offset + place, with: CollectionOfOne(UInt8(ascii: "0") + UInt8(rest % 10)))
                rest /= 10
            }
            next += 1
        }
        var isSent = false
        try rows.withBytes { bytes in
            try connection.copy("copy copied_trades (\(Self.columns)) from stdin (format binary)") {
                defer { isSent = true }
                return isSent ? nil : bytes
            }
        }
        return Self.rowCount
    }
}
