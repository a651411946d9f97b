import CommandKit
import Repository
import TradeModel
import WalletClient

/// What would become of a letter if it were retried now.
enum LetterPrediction: Hashable {
    case settles
    case isThereAlready
    case waits
    case parkedAgain(Rejection)
    case leftAlone(LetterStatus)

    static func of(_ outcome: Outcome) -> LetterPrediction {
        switch outcome {
        case .settled: .settles
        case .duplicate: .isThereAlready
        case .deferred: .waits
        case .rejected(let rejection): .parkedAgain(rejection)
        }
    }

    var words: String {
        switch self {
        case .settles: "would settle"
        case .isThereAlready: "is there already"
        case .waits: "would wait for an older trade"
        case .parkedAgain(let rejection): "would be parked again: \(rejection.message)"
        case .leftAlone(let status): "is \(status.rawValue), would be left alone"
        }
    }

    /// The outcome without its reason, for counting.
    var outcome: String {
        switch self {
        case .settles: "settle"
        case .isThereAlready: "is_there"
        case .waits: "wait"
        case .parkedAgain: "park"
        case .leftAlone: "left_alone"
        }
    }

    var rejection: Rejection? { if case .parkedAgain(let rejection) = self { rejection } else { nil } }
}

/// Looks ahead: what a retry would bring, against today's balances.
struct LetterForesight {
    /// So many letters are judged together; those before one count as settled where they could be.
    static let chunkSize = 5_000

    private let connection: PostgresConnection
    private let wallet: DirectWallet
    private let contents: LetterContents

    init(_ database: Database, on connection: PostgresConnection) {
        self.connection = connection
        wallet = DirectWallet(database)
        contents = LetterContents(connection: connection)
    }

    /// What would become of each, in the order given.
    ///
    /// - Parameter status: that of the letters that would be brought back.
    func predict(_ letters: [DeadLetter], from status: LetterStatus) async throws -> [LetterPrediction] {
        let chosen = letters.filter { $0.status == status }
        var outcomes = try await outcomes(chosen, contents.items(chosen))[...]
        return letters.map { letter in
            letter.status == status ? outcomes.popFirst()! : .leftAlone(letter.status)
        }
    }

    /// What would become of one letter that says something else.
    func predict(_ letter: DeadLetter, as item: SettlementItem) async throws -> LetterPrediction {
        try await outcomes([letter], [item])[0]
    }

    private func outcomes(_ letters: [DeadLetter], _ items: [SettlementItem]) async throws -> [LetterPrediction] {
        guard !letters.isEmpty else { return [] }
        // A stored trade is its own row: looking at claims would call it a duplicate of itself.
        let stored = try await wallet.preview(items, lookingAtClaims: false)
        let unstored =
            letters.contains { !$0.isStored } ? try await wallet.preview(items, lookingAtClaims: true) : stored
        let settled = try DeadLetterStore.settled(letters.map(\.number), on: connection)
        return zip(letters, zip(stored, unstored)).map { letter, pair in
            if let batch = settled[letter.number] { return .parkedAgain(.settled(in: batch)) }
            return .of(letter.isStored ? pair.0 : pair.1)
        }
    }
}

extension Rejection {
    /// Why a trade is never settled again, whatever its row says.
    static func settled(in batch: BatchNumber) -> Rejection {
        Rejection(
            .conflict,
            "it was settled in batch \(batch), whose entries stand, though its row is gone or says otherwise; "
                + "'settle verify' says more")
    }
}
