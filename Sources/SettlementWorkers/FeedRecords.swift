import Repository
import TradeModel

/// A way to the output of one engine.
public protocol FeedConnector: Sendable {
    /// What the engine's output is called.
    var stream: Identifier { get }
    /// Asks for the records behind the lease's place.
    func follow(_ lease: FeedLease) async throws(FeedStop) -> any FeedRecords
}

/// The records of an engine's output, in order and each once.
public protocol FeedRecords: Sendable {
    /// Waits for what comes next, a quarter of a second at most; then there may be nothing.
    func next() async throws(FeedStop) -> FeedPage
    /// Says that everything up to a record is done, and need not be kept for us.
    func acknowledge(_ sequence: Int64) async
    /// When the engine last said anything as one that can be followed; nil before.
    var heardAt: ContinuousClock.Instant? { get async }
    /// Leaves the engine.
    func stop() async
}

/// Some records that follow each other.
public struct FeedPage: Sendable {
    public struct Record: Sendable {
        /// The hash chained up to the record.
        public let hash: UInt64
        /// What is to be settled because of it; nothing for what moves no money.
        public let items: [SettlementItem]
        /// An asset or a market that the books must know from here on.
        public let listing: Listing?

        public init(hash: UInt64, items: [SettlementItem], listing: Listing? = nil) {
            self.hash = hash
            self.items = items
            self.listing = listing
        }
    }

    public let records: [Record]
    /// The leader of the engine that sent them.
    public let engineEpoch: UInt64
    /// The newest record of the engine, as far as it is known; 0 where it is not.
    public let newest: Int64

    public init(records: [Record], engineEpoch: UInt64, newest: Int64 = 0) {
        self.records = records
        self.engineEpoch = engineEpoch
        self.newest = newest
    }
}

/// What an engine has listed.
public enum Listing: Hashable, Sendable {
    case asset(AssetSymbol, decimals: Int)
    case market(MarketSymbol, priceDecimals: Int, tick: DecimalNumber, lot: DecimalNumber, fees: FeeRule)
}

/// Why a stream can be followed no further.
public enum FeedStop: Error, Hashable, Sendable {
    /// It may work later.
    case later(String)
    /// Nobody is to follow until an operator has looked: going on would lose something, or believe somebody else.
    case halted(String)
    /// The same, since the feed has nothing before the record that is given.
    case notKept(String, oldest: Int64)

    var reason: String {
        switch self {
        case .later(let text), .halted(let text), .notKept(let text, _): text
        }
    }
}
