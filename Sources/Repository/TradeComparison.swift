import TradeModel

/// Compares the trades of the books with those that somebody else has, however many they are: theirs are put into a
/// table of the session, and both are compared there.
public struct TradeComparison {
    /// Which settled trades of the books they should have, too.
    public enum Expectation: Sendable {
        /// All of some markets, of a time that begins with `since` and ends before `until`.
        case markets([MarketSymbol], TimeBasis, since: Timestamp?, until: Timestamp?)
        /// All that an engine made in some records.
        case records(ClosedRange<Int64>, of: Identifier)
        case nothing
    }

    /// Which time of a trade is meant.
    public enum TimeBasis: String, Sendable {
        /// When it was settled here.
        case committed
        /// When it was made; where nobody said, when it was settled.
        case executed
    }

    /// What there is to be compared.
    public struct Extent: Sendable {
        public var tradeCount: Int64 = 0
        public var markets: [MarketSymbol] = []
        /// The first and the last time of all trades; nil where some say none.
        public var committed: ClosedRange<Timestamp>?
        public var executed: ClosedRange<Timestamp>?
    }

    /// Up to so many are looked up one by one.
    private static let fewMax: Int64 = 2_000

    private let connection: PostgresConnection
    private var tradeCount: Int64 = 0

    /// - Parameter connection: one that is used for nothing else until this is done.
    public init(on connection: PostgresConnection) throws(DatabaseError) {
        self.connection = connection
        try connection.liftStatementTimeout()
        try connection.script(Self.tables)
    }

    /// Takes in what they say.
    public func add(_ trades: [StatedTrade]) throws(DatabaseError) {
        guard !trades.isEmpty else { return }
        try connection.query(
            Self.addStatement, .int8s(trades, \.place), .texts(trades) { $0.market.text },
            .texts(trades) { $0.id.text }, Self.numerics(trades, \.price), Self.numerics(trades, \.quantity),
            .texts(trades) { $0.buyer?.text }, .texts(trades) { $0.seller?.text },
            Self.numerics(trades, \.buyerFee), Self.numerics(trades, \.sellerFee),
            .texts(trades) { $0.buyOrder?.text }, .texts(trades) { $0.sellOrder?.text },
            .texts(trades) { $0.taker?.rawValue }, .timestamps(trades, \.executedAt),
            .timestamps(trades, \.committedAt), .texts(trades) { $0.stream?.text }, .int8s(trades, \.sequence))
    }

    /// To be called when all are taken in.
    public mutating func finish() throws(DatabaseError) -> Extent {
        try connection.query(Self.repeatsStatement)
        try connection.script("analyze stated_trades; analyze stated_repeats")
        let answers = try connection.pipeline([Request(Self.extentStatement), Request(Self.marketsStatement)])
        tradeCount = answers[0].int64(0, 0)
        var extent = Extent(tradeCount: tradeCount)
        func range(_ column: Int) -> ClosedRange<Timestamp>? {
            guard extent.tradeCount > 0, answers[0].int64(0, column) == extent.tradeCount else { return nil }
            return answers[0].timestamp(0, column + 1)...answers[0].timestamp(0, column + 2)
        }
        (extent.committed, extent.executed) = (range(1), range(4))
        extent.markets = answers[1].indices.compactMap { MarketSymbol(answers[1].string($0, 0)) }
        try lookForEntries()
        return extent
    }

    /// Finds which of those without a row have been settled all the same. That takes a reading of the whole ledger, so
    /// it is done only where there are any.
    private func lookForEntries() throws(DatabaseError) {
        try connection.script(Self.lookingUp(isFew: tradeCount <= Self.fewMax))
        guard try connection.query(Self.withoutRowStatement).affected > 0 else { return }
        try connection.script("analyze stated_without_row; \(Self.lookingUp(isFew: false))")
        let ranges = try connection.query(Self.ledgerRangesStatement)
        for row in ranges.indices {
            try connection.query(
                Self.withEntriesStatement, .int8(ranges.int64(row, 0)), .int8(ranges.int64(row, 1)))
        }
        try connection.script("analyze stated_with_entries")
    }

    /// Finds what is not the same, in the order of theirs and then of ours, and hands it out page by page.
    ///
    /// Each of the two is of one moment, which is over when its first page comes: the server keeps the rest.
    public func findings(
        expecting expectation: Expectation, page: ([TradeFinding]) throws -> Void
    ) throws {
        try connection.script(Self.lookingUp(isFew: tradeCount <= Self.fewMax))
        try connection.query(Self.theirsStatement)
        try readFindings(page)
        try connection.script(Self.lookingUp(isFew: false))
        try connection.query(Request(Self.oursStatement(expectation), expectation.parameters))
        try readFindings(page)
    }

    private func readFindings(_ page: ([TradeFinding]) throws -> Void) throws {
        while true {
            let rows = try connection.query(Self.nextFindingsStatement)
            guard rows.count > 0 else { break }
            try page(rows.indices.map { Self.finding(rows, $0) })
        }
        try connection.script("close trade_findings")
    }

    /// Hands out what is missing here page by page: what neither has a row or entries, nor is known by a letter, and
    /// was said once, or always in the same words.
    public func missing(page: ([StatedTrade]) throws -> Void) throws {
        try connection.script(Self.lookingUp(isFew: tradeCount <= Self.fewMax))
        try connection.query(Self.missingStatement)
        while true {
            let rows = try connection.query(Self.nextMissingStatement)
            guard rows.count > 0 else { break }
            try page(rows.indices.map { Self.stated(rows, $0) })
        }
        try connection.script("close trades_missing")
    }

    private static func finding(_ rows: Rows, _ row: Int) -> TradeFinding {
        TradeFinding(
            kind: TradeFinding.Kind(rawValue: rows.string(row, 3))!, place: rows.optional(row, 0, rows.int64),
            market: rows.string(row, 1), id: rows.string(row, 2), field: rows.optional(row, 4, rows.string),
            theirs: rows.optional(row, 5, rows.string), ours: rows.optional(row, 6, rows.string),
            letter: rows.optional(row, 7, rows.int64),
            letterStatus: rows.optional(row, 8, rows.string).flatMap(LetterStatus.init),
            letterClass: rows.optional(row, 9, rows.string))
    }

    private static func stated(_ rows: Rows, _ row: Int) -> StatedTrade {
        func id(_ column: Int) -> Identifier? { rows.optional(row, column, rows.string).map { Identifier(stored: $0) } }
        func number(_ column: Int) -> DecimalNumber? { rows.isNull(row, column) ? nil : rows.decimal(row, column) }
        var trade = StatedTrade(
            place: rows.int64(row, 0), market: MarketSymbol(rows.string(row, 1))!,
            id: Identifier(stored: rows.string(row, 2)))
        (trade.price, trade.quantity, trade.buyer, trade.seller) = (number(3), number(4), id(5), id(6))
        (trade.buyerFee, trade.sellerFee, trade.buyOrder, trade.sellOrder) = (number(7), number(8), id(9), id(10))
        trade.taker = rows.optional(row, 11, rows.string).flatMap(Side.init)
        trade.executedAt = rows.optional(row, 12, rows.timestamp)
        trade.committedAt = rows.optional(row, 13, rows.timestamp)
        (trade.stream, trade.sequence) = (id(14), rows.optional(row, 15, rows.int64))
        return trade
    }

    private static func numerics(_ trades: [StatedTrade], _ value: (StatedTrade) -> DecimalNumber?) -> Parameter {
        var column = ArrayColumn(.numeric, countMax: trades.count)
        for trade in trades {
            if let number = value(trade) { column.append(number) } else { column.appendNull() }
        }
        return column.parameter
    }
}

extension TradeComparison.Expectation {
    fileprivate var parameters: [Parameter] {
        switch self {
        case .markets(let markets, _, let since, let until):
            [.texts(markets) { $0.text }, .timestamp(since), .timestamp(until)]
        case .records(let records, let stream):
            [.text(stream.text), .int8(records.lowerBound), .int8(records.upperBound)]
        case .nothing: []
        }
    }
}
