import CommandKit
import Repository
import TradeModel

/// All that is known of one dead letter, gathered to be told.
struct LetterStory {
    /// So many of the letters that hang together with this one are named.
    static let relatedMax = 10
    /// So far they are counted.
    static let relatedCountMax = 1_000

    let letter: DeadLetter
    let versions: [LetterVersion]
    let events: [LetterEvent]
    let trade: Trade?
    let market: Market?
    let sides: [TradeNeed]
    /// Open letters of later trades that lack what this one would have brought; at most one more than are counted.
    let funded: [DeadLetter]
    /// Open letters of earlier trades that would have brought what this one lacks.
    let funders: [DeadLetter]
    /// The trade of the same name as it stands in the books.
    let recorded: RecordedTrade?
    /// Whether the trade is there with the same content, so that a retry would only close the letter.
    let isThereAlready: Bool
    let catalog: Catalog
    /// Whether the books follow an engine: then money comes in through that alone.
    let followsEngine: Bool

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
        let recorded = try letter.tradeKey.flatMap { key in
            TradeStore.decode(try connection.query(TradeStore.read([key]))).first
        }
        let isThereAlready =
            !letter.isStored && recorded?.status == .settled
            && trade.map { recorded?.trade?.hasSameContent(as: $0) == true } == true
        // What was settled has been paid: what is there now says nothing of it.
        let isPaid = isThereAlready || letter.status == .retried && letter.tradeStatus == .settled
        if let trade, let market, !isPaid {
            sides = try TradeNeed.both(of: trade, market, connection)
        } else {
            sides = []
        }
        self.trade = trade
        self.catalog = catalog
        followsEngine = FeedStateStore.decode(try connection.query(FeedStateStore.list())).contains(where: \.isInUse)
        self.market = market
        self.recorded = recorded
        self.isThereAlready = isThereAlready
        func letters(_ request: Request?) throws -> [DeadLetter] {
            try request.map { DeadLetterStore.decode(try connection.query($0)) } ?? []
        }
        funded = try letters(
            trade.map { DeadLetterStore.funded(by: $0, of: letter, limit: Self.relatedCountMax + 1) })
        funders = try letters(
            letter.shortfall.map { DeadLetterStore.funders(of: letter, $0, limit: Self.relatedMax) })
    }

    /// What was there when the letter was parked; known of the side that lacked something.
    func availableThen(_ side: TradeNeed) -> Amount? {
        letter.shortfall.flatMap { $0.account == side.account && $0.asset == side.asset ? $0.available : nil }
    }
}
