import CommandKit
import Glibc
import Repository
import TradeFeed
import TradeModel
import WalletClient

/// Another version of a letter, checked and ready to be written.
struct LetterEdit {
    let letter: DeadLetter
    let item: SettlementItem
    private let trade: Trade
    private let payload: [UInt8]
    /// What changes, in words; empty where nothing does.
    let difference: String

    /// Whether the letter does not say that already.
    var isNew: Bool { !difference.isEmpty }

    var text: String { String(decoding: payload, as: UTF8.self) }

    init(
        _ letter: DeadLetter, changes: [WireEditor.Change], whole: [UInt8]?, on connection: PostgresConnection
    ) throws {
        guard letter.status == .open else {
            throw CommandFailure(
                "dead letter \(letter.number) is \(letter.status.rawValue); only an open one can be edited")
        }
        self.letter = letter
        let before = try LetterContents(connection: connection).items([letter])[0]
        do throws(Rejection) {
            payload = try Self.payload(before, changes, whole: whole)
        } catch {
            throw CommandFailure("the result is no trade, and nothing was changed: \(error.message.printable)")
        }
        item = LetterContents.item(payload, source: letter.source)
        guard case .trade(let trade) = item.subject else { preconditionFailure("what was checked is a trade") }
        self.trade = trade
        if case .trade(let old) = before.subject {
            let words = ([Self.renaming(old, trade)] + [trade.differences(from: old)])
                .filter { !$0.isEmpty }.joined(separator: ", ")
            difference = !words.isEmpty || old == trade ? words : "fields that only one of the two versions has"
        } else {
            difference = "a trade instead of what could not be one"
        }
        try checkName(before, on: connection)
    }

    private static func payload(
        _ before: SettlementItem, _ changes: [WireEditor.Change], whole: [UInt8]?
    ) throws(Rejection) -> [UInt8] {
        if let whole { return try WireEditor.canonical(whole) }
        if case .trade(let trade) = before.subject {
            return try WireEditor.apply(changes, to: WireEncoder.encode(trade))
        }
        return try WireEditor.apply(changes, to: before.payload)
    }

    /// What a file says, or standard input: at most a byte more than a message may have, so that whoever looks sees
    /// that it is too large.
    static func contents(_ file: String) throws -> [UInt8] {
        let countMax = WireLimits.messageBytesMax + 1
        guard file != "-" else {
            return try FileProblem.read(STDIN_FILENO, upToCount: countMax, of: "standard input")
        }
        let descriptor = try FileProblem.open(file)
        defer { close(descriptor) }
        return try FileProblem.read(descriptor, upToCount: countMax, of: file)
    }

    private static func renaming(_ old: Trade, _ new: Trade) -> String {
        var words: [String] = []
        if old.id != new.id { words.append("id \(new.id) instead of \(old.id)") }
        if old.market != new.market { words.append("market \(new.market) instead of \(old.market)") }
        return words.joined(separator: ", ")
    }

    /// What a trade is called decides whether it was settled before. It may change only where what was received can
    /// never be settled by itself: otherwise the same trade could come again under its old name, and move money twice.
    private func checkName(_ before: SettlementItem, on connection: PostgresConnection) throws {
        let number = letter.number
        if letter.isStored {
            guard trade.key == letter.tradeKey else {
                throw CommandFailure(
                    "the trade is stored as \(letter.name.printable), so its id and market stay. To settle it under "
                        + "another name: settle dlq discard \(number), and settle trade submit with what was meant.")
            }
            return
        }
        let received = DeadLetterStore.decodeVersions(
            try connection.query(DeadLetterStore.versions(of: number)))[0]
        guard case .trade(let original) = LetterContents.item(received.payload, source: letter.source).subject,
            original.key != trade.key
        else { return }
        guard let other = TradeStore.decode(try connection.query(TradeStore.read([original.key]))).first else {
            throw CommandFailure(
                "\(original.key) could still be settled under that name if it came again, so id and market stay. "
                    + "Make its market, or discard this letter and submit the trade under its right name.")
        }
        // What only waits may be deleted by whoever stored it, and would leave the name to the original.
        guard other.status != .pending else {
            throw CommandFailure(
                "the trade that has taken the name \(original.key) still waits to be settled; edit id and market once "
                    + "it is settled or parked")
        }
    }

    /// Writes the version and returns its number.
    func carryOut(on connection: PostgresConnection, actor: String, reason: String) throws -> Int {
        let rows = try connection.query(
            DeadLetterStore.edit(
                letter, to: trade, payload: payload, actor: actor, reason: reason,
                change: "\(reason) (\(difference))"))
        guard rows.count == 1 else {
            throw CommandFailure(
                "dead letter \(letter.number) was changed meanwhile; look at it again with 'settle dlq show "
                    + "\(letter.number)'")
        }
        return Int(rows.int32(0, 0))
    }
}
