import CommandKit
import EngineHost
import Repository
import TradeModel

/// Whether the engine's accounts have in the books what they have in the engine.
struct EngineComparison {
    private static let differencesMax = 10

    let stream: Identifier
    /// The engine's newest record.
    let sequence: Int64
    /// Everything up to here is settled.
    let watermark: Int64
    private(set) var accountCount = 0
    private(set) var balanceCount = 0
    private(set) var differenceCount = 0
    /// The first of them, each in a line.
    private(set) var differences: [String] = []

    var unsettled: Int { Int(max(0, sequence - watermark)) }

    /// Asks both. Where records are not settled yet there is nothing to compare.
    init(
        of accounts: [Identifier], in endpoint: String, _ stream: Identifier, on connection: PostgresConnection
    ) async throws {
        let engine = try EngineAccess(IntakeEndpoint(text: endpoint))
        self.stream = stream
        let answers = try connection.pipeline([FeedStateStore.list(stream), AccountStore.find(accounts)])
        watermark = FeedStateStore.decode(answers[0]).first?.watermark ?? 0
        sequence = try await engine.ask(.status).sequence
        guard unsettled == 0 else { return }
        let known = AccountStore.decode(answers[1])
        let balances = try BalanceStore.current(of: known.map(\.number), asset: nil, connection)
        let catalog = try CatalogStore.read(connection)
        accountCount = accounts.count
        for id in accounts {
            let number = known.first { $0.id == id }?.number
            for (symbol, _) in SimulatedMarket.assets {
                guard let asset = catalog.assets[symbol] else { continue }
                let there = try await engine.ask(.balance(id, symbol)).balance
                let here = number.flatMap { balances[BalanceKey(account: $0, asset: asset.number)] }
                compare(id, asset, there, here)
            }
        }
    }

    private mutating func compare(
        _ account: Identifier, _ asset: Asset, _ there: EngineAnswer.Balance?, _ here: BalanceMoment?
    ) {
        balanceCount += 1
        let zero = Amount.zero.text(decimals: asset.decimals)
        let engine = (there?.available ?? zero, there?.held ?? zero)
        let books = (
            here?.available.text(decimals: asset.decimals) ?? zero, here?.frozen.text(decimals: asset.decimals) ?? zero
        )
        guard engine != books else { return }
        differenceCount += 1
        guard differences.count < Self.differencesMax else { return }
        differences.append(
            "\(account) has \(engine.0) \(asset.symbol) and \(engine.1) held in the engine, "
                + "\(books.0) and \(books.1) frozen in the books")
    }

    /// In one line.
    var summary: String {
        if unsettled > 0 {
            return "\(unsettled.counted("record waits", plural: "records wait")) in the engine's log; the next "
                + "'settle up' here settles \(unsettled == 1 ? "it" : "them")."
        }
        let balances = balanceCount.counted("balance")
        return differenceCount == 0
            ? "The engine agrees: \(balances) of \(accountCount.counted("account")) at record \(sequence.grouped)."
            : "The engine does not agree: \(differenceCount.grouped) of \(balances) differ at record "
                + "\(sequence.grouped)."
    }

    var json: JSONValue {
        .object([
            ("stream", .id(stream)), ("sequence", .integer(Int(sequence))), ("watermark", .integer(Int(watermark))),
            ("balances", .integer(balanceCount)), ("differences", .integer(differenceCount)),
        ])
    }
}
