import Repository
import TradeFeed
import TradeModel

/// What letters say today: the rows of stored trades, and the newest version of whatever else was received.
struct LetterContents {
    let connection: PostgresConnection

    /// The letters as items to be settled, in the order given.
    func items(_ letters: [DeadLetter]) throws -> [SettlementItem] {
        let keys = letters.filter(\.isRow).compactMap(\.tradeKey)
        var rows: [TradeKey: Trade] = [:]
        if !keys.isEmpty {
            for row in TradeStore.decode(try connection.query(TradeStore.read(keys))) {
                rows[row.key] = row.trade
            }
        }
        return try letters.map { letter in
            if letter.isRow, let trade = letter.tradeKey.flatMap({ rows[$0] }) {
                return SettlementItem(.trade(trade), origin: .message(letter.source))
            }
            return Self.item(try payload(of: letter), source: letter.source)
        }
    }

    /// The trade that a letter tells of, if it tells of one.
    func trade(_ letter: DeadLetter) throws -> Trade? {
        if case .trade(let trade) = try items([letter])[0].subject { trade } else { nil }
    }

    static func item(_ payload: [UInt8], source: String) -> SettlementItem {
        let items = WireDecoder.decodeMessage(payload, source: source)
        guard items.count == 1 else {
            return SettlementItem(
                .refused(RefusedMessage(Rejection(.undecodable, "the payload is not one trade"))),
                origin: .message(source), payload: payload)
        }
        return items[0]
    }

    private func payload(of letter: DeadLetter) throws -> [UInt8] {
        if let payload = letter.payload { return payload }
        return DeadLetterStore.decode(try connection.query(DeadLetterStore.find(letter.number))).first?.payload
            ?? []
    }
}

extension DeadLetter {
    /// Whether the row in `trades` says what a retry would settle.
    fileprivate var isRow: Bool { isStored && version == 1 }
}
