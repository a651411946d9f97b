import TradeModel

/// What can be asked of an engine that runs.
public struct EngineQuery: Codable, Hashable, Sendable {
    public enum Subject: String, Codable, Sendable {
        case status, book, balance, balances, order, orders, markets
    }

    public var about: Subject
    public var market: String?
    public var levels: Int?
    public var account: String?
    public var asset: String?
    /// An order's number, or the id that its owner gave it.
    public var order: Int64?
    public var key: String?
    /// Which copy of the balances is read on; nil has one made.
    public var copy: Int64?
    /// Where the page before ended.
    public var from: Int?
    /// Only orders with larger numbers.
    public var after: Int64?

    public static let status = EngineQuery(about: .status)

    public static let markets = EngineQuery(about: .markets)

    public static func book(_ market: MarketSymbol, levels: Int) -> EngineQuery {
        EngineQuery(about: .book, market: market.text, levels: levels)
    }

    public static func balance(_ account: Identifier, _ asset: AssetSymbol) -> EngineQuery {
        EngineQuery(about: .balance, account: account.text, asset: asset.text)
    }

    /// What everybody had at one record, page by page.
    ///
    /// - Parameter page: the one before; nil for the first.
    public static func balances(after page: EngineAnswer.Balances? = nil) -> EngineQuery {
        EngineQuery(about: .balances, copy: page?.copy, from: page?.next)
    }

    public static func order(_ account: Identifier, _ reference: OrderReference) -> EngineQuery {
        switch reference {
        case .number(let number):
            EngineQuery(about: .order, account: account.text, order: Int64(clamping: number))
        case .clientOrderID(let key): EngineQuery(about: .order, account: account.text, key: key.text)
        }
    }

    /// The open orders of an account with numbers behind one, in no order; each answer has those of some places.
    public static func orders(
        _ account: Identifier, market: MarketSymbol?, after number: Int64, from place: Int
    ) -> EngineQuery {
        EngineQuery(about: .orders, market: market?.text, account: account.text, from: place, after: number)
    }

    public static let levelsMax = 100
    /// What one answer looks at and says, so that orders wait behind it for a few milliseconds at most. Writing
    /// balances out takes longer than finding them.
    static let balanceLookupsMax = 20_000
    static let balanceCountMax = 500
    static let orderPlacesMax = 65_536
    static let orderCountMax = 1_000
}

/// What an engine answers: always where it stands, and what was asked for, if there is such a thing.
public struct EngineAnswer: Codable, Hashable, Sendable {
    public struct Level: Codable, Hashable, Sendable {
        public var price: String
        public var quantity: String
        public var orders: Int
    }

    public struct Book: Codable, Hashable, Sendable {
        public var market: String
        /// The best first.
        public var bids: [Level]
        public var asks: [Level]
    }

    public struct Balance: Codable, Hashable, Sendable {
        public var available: String
        public var held: String
    }

    /// What a part of the accounts had at one record. The columns have a row for each balance.
    public struct Balances: Codable, Hashable, Sendable {
        public var copy: Int64
        public var sequence: Int64
        public var hash: String
        /// The assets' symbols, and what the house earned of each.
        public var assets: [String]
        public var house: [String]
        /// The accounts of this page, also those without a balance.
        public var accounts: [String]
        /// Of each balance: its account and its asset, as places in the lists above, and what there is.
        public var accountColumn: [Int]
        public var assetColumn: [Int]
        public var availableColumn: [String]
        public var heldColumn: [String]
        /// nil on the last page.
        public var next: Int?

        enum CodingKeys: String, CodingKey {
            case copy, sequence, hash, assets, house, accounts, next
            case accountColumn = "balance_accounts"
            case assetColumn = "balance_assets"
            case availableColumn = "available"
            case heldColumn = "held"
        }
    }

    public struct Order: Codable, Hashable, Sendable {
        public var number: Int64
        public var account: String
        public var market: String
        public var side: String
        public var postOnly: Bool
        public var price: String
        public var quantity: String
        public var remaining: String
        public var held: String
        public var heldAsset: String

        enum CodingKeys: String, CodingKey {
            case number, account, market, side, price, quantity, remaining, held
            case postOnly = "post_only"
            case heldAsset = "held_asset"
        }
    }

    public var stream: String
    /// The newest record, and the hash chained up to it.
    public var sequence: Int64
    public var hash: String
    public var openOrders: Int
    public var accounts: Int
    public var trades: Int
    public var book: Book?
    public var balance: Balance?
    /// All that are listed.
    public var markets: [String]?
    /// nil where the copy that was asked for is no longer kept.
    public var balances: Balances?
    public var order: Order?
    /// Whether the account is known, where it was asked about its orders.
    public var isKnown: Bool?
    /// Whether the id that was asked about is that of an order which is no longer open.
    public var hasEnded: Bool?
    public var orders: [Order]?
    /// Where to go on; nil when that was all.
    public var next: Int?
    /// Whether it leads.
    public var standing: EngineStanding?

    enum CodingKeys: String, CodingKey {
        case stream, sequence, hash, accounts, trades, book, balance, balances, order, orders, next, markets, standing
        case openOrders = "open_orders"
        case isKnown = "account_known"
        case hasEnded = "ended"
    }
}
