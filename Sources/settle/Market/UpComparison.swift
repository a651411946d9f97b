import CommandKit
import EngineHost
import Repository
import TradeModel

/// Whether the simulated accounts have in the books what they have in the engine, as `settle up` says at its end.
struct UpComparison {
    private static let differencesMax = 10
    /// Both stand still by then; what is not settled is not waited for.
    private static let patience = Duration.seconds(5)

    /// The engine's newest record.
    let sequence: Int64
    /// What was found; nil where records are not settled yet, and there is nothing to compare.
    private let found: BalanceReconciliation?
    private let stream: Identifier
    private let watermark: Int64

    var unsettled: Int { Int(max(0, sequence - watermark)) }
    var differenceCount: Int { Int(found?.differenceCount ?? 0) }

    /// Asks both.
    init(
        of accounts: [Identifier], in endpoint: String, _ stream: Identifier, on connection: PostgresConnection
    ) async throws {
        let engine = Endpoint(text: endpoint)
        self.stream = stream
        let states = FeedStateStore.decode(try connection.query(FeedStateStore.list(stream)))
        watermark = states.first?.watermark ?? 0
        sequence = try await EngineAccess(engine).ask(.status).sequence
        guard sequence <= watermark, !states.isEmpty else {
            found = nil
            return
        }
        // The house also earns what trades from elsewhere pay.
        found = try await EngineReconciliation(
            engine: engine, stream: stream, patience: Self.patience, connection: connection
        ).compare(of: Set(accounts), comparesHouse: false).comparison.found
    }

    /// The first of them, each in a line.
    var differences: [String] {
        (found?.differences ?? []).prefix(Self.differencesMax).map { difference in
            func text(_ amount: Amount) -> String { amount.text(decimals: difference.decimals) }
            let (engine, books) = (difference.engine, difference.ledger)
            return "\(difference.account) has \(text(engine.available)) \(difference.asset) and \(text(engine.held)) "
                + "held in the engine, \(text(books.available)) and \(text(books.held)) frozen in the books"
        }
    }

    /// In one line.
    var summary: String {
        if unsettled > 0 {
            return "\(unsettled.counted("record waits", plural: "records wait")) in the engine's log; the next "
                + "'settle up' here settles \(unsettled == 1 ? "it" : "them")."
        }
        let balances = Int(found?.balanceCount ?? 0).counted("balance")
        let place = "at record \(sequence.grouped)"
        return differenceCount == 0
            ? "The engine agrees: \(balances) of \(Int(found?.accountCount ?? 0).counted("account")) \(place)."
            : "The engine does not agree: \(differenceCount.grouped) of \(balances) differ \(place)."
    }

    var json: JSONValue {
        .object([
            ("stream", .id(stream)), ("sequence", .count(sequence)), ("watermark", .count(watermark)),
            ("balances", .count(found?.balanceCount ?? 0)), ("differences", .integer(differenceCount)),
        ])
    }
}
