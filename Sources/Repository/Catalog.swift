import TradeModel

/// The assets and markets of a database, as a connection last read them.
public struct Catalog: Sendable {
    public private(set) var assets: [AssetSymbol: Asset] = [:]
    public private(set) var markets: [MarketSymbol: Market] = [:]
    /// The markets in the order of their numbers, so that places last when others are added.
    public let marketList: [Market]
    private var placeOfMarket: [MarketSymbol: Int32] = [:]
    /// Markets of whose trades some were parked without a row; only where it was read to settle.
    public let marketsWithLettersWithoutRow: Set<MarketSymbol>

    public var numbersOfMarketsWithLettersWithoutRow: [MarketNumber] {
        marketsWithLettersWithoutRow.compactMap { markets[$0]?.number }
    }

    public init(assets: [Asset] = [], markets: [Market] = [], marketsWithLettersWithoutRow: Set<MarketSymbol> = []) {
        marketList = markets.sorted { $0.number < $1.number }
        self.marketsWithLettersWithoutRow = marketsWithLettersWithoutRow
        for asset in assets { self.assets[asset.symbol] = asset }
        for (place, market) in marketList.enumerated() {
            self.markets[market.symbol] = market
            placeOfMarket[market.symbol] = Int32(place)
        }
    }

    /// The place of a market in ``marketList``; nil when there is none.
    public func place(of market: MarketSymbol) -> Int32? { placeOfMarket[market] }
}

/// Tables `assets` and `markets`.
public enum CatalogStore {
    static let assetsStatement = Statement(
        "assets_read", "select asset_no, symbol, decimals from assets order by symbol")

    private static func markets(_ name: String, isHalted: String, hasLettersWithoutRow: String) -> Statement {
        Statement(
            name,
            """
            select m.market_no, m.symbol, b.symbol, q.symbol, m.price_decimals, m.fees::text, \(isHalted),
                   \(hasLettersWithoutRow)
              from markets m join assets b on b.asset_no = m.base_no join assets q on q.asset_no = m.quote_no
             order by m.symbol
            """)
    }

    static let marketsStatement = markets("markets_read", isHalted: "m.halted", hasLettersWithoutRow: "false")
    static let settlingMarketsStatement = markets(
        "markets_read_to_settle", isHalted: "m.halted or (select sealed from queue_control)",
        hasLettersWithoutRow: DeadLetterStore.isAnyWithoutRow(inMarket: "m.symbol"))

    public static func read(_ connection: PostgresConnection) throws(DatabaseError) -> Catalog {
        try read(marketsStatement, connection)
    }

    /// The same for whoever settles: in a queue that is sealed all markets are halted.
    public static func readToSettle(_ connection: PostgresConnection) throws(DatabaseError) -> Catalog {
        try read(settlingMarketsStatement, connection)
    }

    private static func read(
        _ marketsStatement: Statement, _ connection: PostgresConnection
    ) throws(DatabaseError) -> Catalog {
        let answers = try connection.pipeline([Request(assetsStatement), Request(marketsStatement)])
        let rows = answers[0]
        let assets = rows.indices.map { row in
            Asset(
                number: rows.int32(row, 0), symbol: AssetSymbol(rows.string(row, 1))!,
                decimals: Int(rows.int16(row, 2)))
        }
        let bySymbol = Dictionary(uniqueKeysWithValues: assets.map { ($0.symbol.text, $0) })
        let markets = answers[1]
        return Catalog(
            assets: assets,
            markets: markets.indices.compactMap { row in
                // A market that was added between the two statements may name an asset that the first did not see.
                guard let base = bySymbol[markets.string(row, 2)], let quote = bySymbol[markets.string(row, 3)] else {
                    return nil
                }
                return Market(
                    number: markets.int32(row, 0), symbol: MarketSymbol(markets.string(row, 1))!, base: base,
                    quote: quote, priceDecimals: Int(markets.int16(row, 4)),
                    feeRule: FeeRule(rawValue: markets.string(row, 5))!, isHalted: markets.bool(row, 6))
            },
            marketsWithLettersWithoutRow: Set(
                markets.indices.filter { markets.bool($0, 7) }.map { MarketSymbol(markets.string($0, 1))! }))
    }

    static let addAssetStatement = Statement(
        "assets_add", "insert into assets (symbol, decimals) values ($1, $2) on conflict (symbol) do nothing")

    /// Writes nothing when the symbol exists.
    public static func addAsset(_ symbol: AssetSymbol, decimals: Int) -> Request {
        Request(addAssetStatement, [.text(symbol.text), .int4(Int32(decimals))])
    }

    static let addMarketStatement = Statement(
        "markets_add", "select add_market($1, $2, $3, $4, $5, $6, $7::fee_rule)")

    public static func addMarket(
        _ symbol: MarketSymbol, priceDecimals: Int, tick: DecimalNumber?, lot: DecimalNumber?, fees: FeeRule
    ) -> Request {
        Request(
            addMarketStatement,
            [
                .text(symbol.text), .text(symbol.base.text), .text(symbol.quote.text), .int4(Int32(priceDecimals)),
                .numeric(tick), .numeric(lot), .text(fees.rawValue),
            ])
    }

    static let addNoMarketsStatement = Statement(
        "markets_add_none",
        "select pg_advisory_xact_lock_shared(\(AdvisoryLock.migrationFunctions), \(AdvisoryLock.newMarket))")

    /// Lets nobody add a market until the end of the transaction, as `add_market` locks: whoever reads a market sees
    /// all letters of trades that were parked for want of it.
    public static var addNoMarkets: Request { Request(addNoMarketsStatement) }

    static let findMarketsStatement = Statement("markets_find", "select symbol from markets where symbol = any ($1)")

    /// Those of the markets that exist.
    public static func find(_ markets: some Collection<MarketSymbol>) -> Request {
        Request(findMarketsStatement, [.texts(markets) { $0.text }])
    }

    static let marketTermsStatement = Statement(
        "markets_terms", "select tick, lot, halted from markets where symbol = $1")

    /// The terms of a market that only engines and people read: tick, lot, halted.
    public static func terms(of symbol: MarketSymbol) -> Request {
        Request(marketTermsStatement, [.text(symbol.text)])
    }
}
