import TradeModel

public enum LetterStatus: String, Sendable, CaseIterable {
    case open, retried, discarded
}

/// What is to be parked.
public struct NewLetter: Sendable {
    /// The bytes whose hash says whether two letters are the same thing.
    public var content: [UInt8]
    public var rejection: Rejection
    public var attempts: Int
    public var isStored: Bool
    public var market: String?
    public var tradeID: String?
    public var buyer: String?
    public var seller: String?
    public var stream: String?
    public var sequence: Int64?
    public var source: String
    public var payload: [UInt8]

    public init(
        content: [UInt8], rejection: Rejection, attempts: Int, isStored: Bool,
        market: String? = nil, tradeID: String? = nil, buyer: String? = nil, seller: String? = nil,
        stream: String? = nil, sequence: Int64? = nil, source: String, payload: [UInt8]
    ) {
        self.content = content
        self.rejection = rejection
        self.attempts = attempts
        self.isStored = isStored
        self.market = market
        self.tradeID = tradeID
        self.buyer = buyer
        self.seller = seller
        self.stream = stream
        self.sequence = sequence
        self.source = source
        self.payload = payload
    }
}

/// A row of `dead_letters`.
public struct DeadLetter: Sendable {
    public let number: Int64
    public let failureClass: String
    public let message: String
    public let status: LetterStatus
    public let attempts: Int
    /// Whether `trades` holds it as a row of its own.
    public let isStored: Bool
    public let market: String?
    public let tradeID: String?
    public let buyer: String?
    public let seller: String?
    public let source: String
    public let parkedAt: Timestamp
    public let changedAt: Timestamp
    /// Where the trade of this name stands now; nil when `trades` holds none.
    public let tradeStatus: TradeStatus?
    /// The newest of its versions; what was received is version 1.
    public let version: Int
    /// The trade's place in line.
    public let place: Int64
    public let shortfall: Shortfall?
    /// The newest version, where it was asked for and is not large.
    public let payload: [UInt8]?

    /// Whether the same id was settled by another way while the letter, which has no row of its own, stayed open.
    public var wasSettledMeanwhile: Bool {
        status == .open && !isStored && failureClass != FailureClass.conflict.rawValue && tradeStatus == .settled
    }

    /// The trade that the letter is about, as far as that could be read.
    public var tradeKey: TradeKey? {
        guard let market = market.flatMap({ MarketSymbol($0) }), let id = tradeID.flatMap(Identifier.init) else {
            return nil
        }
        return TradeKey(market: market, id: id)
    }
}

/// One line of a letter's history.
public struct LetterEvent: Sendable {
    public let number: Int
    public let at: Timestamp
    public let action: String
    public let actor: String
    public let worker: Int64?
    public let sqlState: String?
    public let failureClass: String?
    public let message: String
}

/// One version of what a letter says.
public struct LetterVersion: Sendable {
    public let number: Int
    public let payload: [UInt8]
    /// Who made it, when and why; nil for what was received.
    public let edit: Edit?

    public struct Edit: Sendable {
        public let actor: String
        public let reason: String
        public let at: Timestamp
    }
}
