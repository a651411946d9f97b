/// One thing to be settled, with where it came from and what was received.
public struct SettlementItem: Sendable {
    public enum Subject: Sendable, Hashable {
        case trade(Trade)
        case operation(Operation)
        /// What arrived is no trade that can be settled; it is to be parked.
        case refused(RefusedMessage)
    }

    public enum Origin: Sendable, Hashable {
        /// A message; the text names the way in, such as `zmq tcp://127.0.0.1:5558`.
        case message(String)
        /// A row of `trades` that waits as PENDING and is claimed by this process.
        case pending(receivedSequence: Int64, attempts: Int)
        /// A record of an engine's output that is followed.
        case feed(StreamPlace)
    }

    public var subject: Subject
    public var origin: Origin
    /// The bytes as received; empty where the subject came from a table.
    public var payload: [UInt8]

    public init(_ subject: Subject, origin: Origin, payload: [UInt8] = []) {
        self.subject = subject
        self.origin = origin
        self.payload = payload
    }
}

extension SettlementItem {
    /// The key of the trade, of a refused one as far as it could be read.
    public var tradeKey: TradeKey? {
        switch subject {
        case .trade(let trade): return trade.key
        case .operation: return nil
        case .refused(let refused):
            guard let market = refused.market.flatMap({ MarketSymbol($0) }), let id = refused.tradeID else {
                return nil
            }
            return TradeKey(market: market, id: Identifier(stored: id))
        }
    }
}

/// A message that cannot become a trade, with as much of it as could be read.
public struct RefusedMessage: Hashable, Sendable {
    public var rejection: Rejection
    public var market: String?
    public var tradeID: String?
    public var buyer: String?
    public var seller: String?

    public init(
        _ rejection: Rejection, market: String? = nil, tradeID: String? = nil, buyer: String? = nil,
        seller: String? = nil
    ) {
        self.rejection = rejection
        self.market = market
        self.tradeID = tradeID
        self.buyer = buyer
        self.seller = seller
    }
}

/// The number of a committed batch of settlements.
public typealias BatchNumber = Int64
