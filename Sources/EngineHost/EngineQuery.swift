import TradeModel

/// What can be asked of an engine that runs.
public struct EngineQuery: Codable, Hashable, Sendable {
    public enum Subject: String, Codable, Sendable {
        case status, book, balance
    }

    public var about: Subject
    public var market: String?
    public var levels: Int?
    public var account: String?
    public var asset: String?

    public static let status = EngineQuery(about: .status)

    public static func book(_ market: MarketSymbol, levels: Int) -> EngineQuery {
        EngineQuery(about: .book, market: market.text, levels: levels)
    }

    public static func balance(_ account: Identifier, _ asset: AssetSymbol) -> EngineQuery {
        EngineQuery(about: .balance, account: account.text, asset: asset.text)
    }

    public static let levelsMax = 100
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

    public var stream: String
    /// The newest record, and the hash chained up to it.
    public var sequence: Int64
    public var hash: String
    public var openOrders: Int
    public var accounts: Int
    public var trades: Int
    public var book: Book?
    public var balance: Balance?
    /// Whether it leads.
    public var standing: EngineStanding?

    enum CodingKeys: String, CodingKey {
        case stream, sequence, hash, accounts, trades, book, balance, standing
        case openOrders = "open_orders"
    }
}
