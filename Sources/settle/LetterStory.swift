import CommandKit
import Repository
import TradeModel
import WalletClient

/// All that is known of one dead letter, gathered to be told.
struct LetterStory {
    /// What one side of the trade has to give, and has.
    struct Side {
        let role: String
        let account: Identifier
        let asset: Asset
        let needed: Amount
        /// What was there when the letter was parked; known of the side that lacked something.
        let availableThen: Amount?
        let availableNow: Amount
        let heldNow: Amount
        /// How far below zero the account may go.
        let credit: Amount
        let isKnown: Bool
        let isClosed: Bool

        /// What is missing today; zero when nothing is.
        var missingNow: Amount {
            guard let have = try? availableNow.adding(heldNow).adding(credit), have < needed,
                let missing = try? needed.subtracting(have)
            else { return .zero }
            return missing
        }
    }

    /// So many of the letters that hang together with this one are named.
    static let relatedMax = 10
    /// So far they are counted.
    static let relatedCountMax = 1_000

    let letter: DeadLetter
    let versions: [LetterVersion]
    let events: [LetterEvent]
    let trade: Trade?
    let market: Market?
    let sides: [Side]
    /// Open letters of later trades that lack what this one would have brought; at most one more than are counted.
    let funded: [DeadLetter]
    /// Open letters of earlier trades that would have brought what this one lacks.
    let funders: [DeadLetter]
    /// The trade of the same name as it stands in the books.
    let recorded: RecordedTrade?
    let catalog: Catalog

    init(_ number: Int64, on connection: PostgresConnection) throws {
        let letter = try LetterQueue.letter(number, on: connection)
        self.letter = letter
        let answers = try connection.pipeline([
            DeadLetterStore.versions(of: number), DeadLetterStore.events(of: number),
        ])
        versions = DeadLetterStore.decodeVersions(answers[0])
        events = DeadLetterStore.decodeEvents(answers[1])
        let trade = try LetterContents(connection: connection).trade(letter)
        let catalog = try CatalogStore.read(connection)
        let market = trade.flatMap { catalog.markets[$0.market] }
        self.trade = trade
        self.catalog = catalog
        self.market = market
        sides = try trade.map { try Self.sides(of: $0, letter, market, connection) } ?? []
        func letters(_ request: Request?) throws -> [DeadLetter] {
            try request.map { DeadLetterStore.decode(try connection.pipeline([$0])[0]) } ?? []
        }
        funded = try letters(
            trade.map { DeadLetterStore.funded(by: $0, of: letter, limit: Self.relatedCountMax + 1) })
        funders = try letters(
            letter.shortfall.map { DeadLetterStore.funders(of: letter, $0, limit: Self.relatedMax) })
        recorded = try letter.tradeKey.flatMap { key in
            TradeStore.decode(try connection.pipeline([TradeStore.read([key])])[0]).first
        }
    }

    /// Whether the trade is there with the same content, so that a retry would only close the letter.
    var isThereAlready: Bool {
        guard let trade, let recorded, !letter.isStored, recorded.status == .settled else { return false }
        return recorded.trade?.hasSameContent(as: trade) == true
    }

    private static func sides(
        of trade: Trade, _ letter: DeadLetter, _ market: Market?, _ connection: PostgresConnection
    ) throws -> [Side] {
        guard let market, let terms = try? TradeTerms(trade, market: market),
            let buyerGives = try? terms.buyerGives()
        else { return [] }
        let orders = [trade.buyOrder, trade.sellOrder].compactMap {
            $0.map { OrderKey(stream: trade.stream, order: $0) }
        }
        let answers = try connection.pipeline([
            AccountStore.find([trade.buyer, trade.seller]), HoldStore.read(orders),
        ])
        let accounts = Dictionary(
            AccountStore.decode(answers[0]).map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        let holds = Dictionary(HoldStore.decode(answers[1]).map { ($0.key, $0.hold) }, uniquingKeysWith: { $1 })
        let gifts = [
            ("buyer", trade.buyer, market.quote, buyerGives, trade.buyOrder),
            ("seller", trade.seller, market.base, terms.sellerGives, trade.sellOrder),
        ]
        let keys = gifts.compactMap { _, id, asset, _, _ in
            accounts[id].map { BalanceKey(account: $0.number, asset: asset.number) }
        }
        let balances = Dictionary(
            BalanceStore.decode(try connection.pipeline([BalanceStore.read(keys)])[0]).map { ($0.key, $0.balance) },
            uniquingKeysWith: { $1 })
        return gifts.map { role, id, asset, needed, order in
            let account = accounts[id]
            let balance = account.flatMap { balances[BalanceKey(account: $0.number, asset: asset.number)] }
            let hold = order.flatMap { holds[OrderKey(stream: trade.stream, order: $0)] }
            let isHeldHere = hold?.account == account?.number && hold?.asset == asset.number
            let lacked = letter.shortfall.flatMap { $0.account == id && $0.asset == asset ? $0 : nil }
            return Side(
                role: role, account: id, asset: asset, needed: needed, availableThen: lacked?.available,
                availableNow: balance?.available ?? .zero,
                heldNow: isHeldHere ? min(hold?.remaining ?? .zero, needed) : .zero,
                credit: (balance?.lowest ?? .zero).negated, isKnown: account != nil,
                isClosed: account?.status == .closed)
        }
    }
}
