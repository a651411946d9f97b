import SettlementWorkers
import TradeFeed
import TradeModel

/// Bad trades of several kinds, as a broken or hostile sender would push them.
enum Poison: CaseIterable {
    case undecodableBytes, unknownMarket, negativePrice, unfundable, conflict

    /// In a few words, for a line that names all of them.
    var name: String {
        switch self {
        case .undecodableBytes: "bad bytes"
        case .unknownMarket: "unknown market"
        case .negativePrice: "price < 0"
        case .unfundable: "no funds"
        case .conflict: "same id"
        }
    }

    /// The message; nil where it takes a settled trade and there is none yet.
    ///
    /// - Parameter id: makes it another message than those before: the same bytes would be parked only once.
    func message(id: String, settled: Trade?) -> [UInt8]? {
        func trade(market: String = "BTC/USDT", price: String) -> [UInt8] {
            let accounts = #""buyer_id":"\#(SimulatedMarket.poorAccount)","seller_id":"sim-1""#
            return Array(
                #"{"id":"\#(id)","market":"\#(market)","price":"\#(price)","quantity":"1",\#(accounts)}"#.utf8)
        }
        switch self {
        case .undecodableBytes: return Array(#"{"id":"\#(id)","price":"#.utf8) + [0xFF, 0xFE, 0x00]
        case .unknownMarket: return trade(market: "MOON/USDT", price: "1")
        case .negativePrice: return trade(price: "-50000")
        case .unfundable: return trade(price: "50000")
        case .conflict:
            guard var other = settled else { return nil }
            other.price = DecimalNumber("0.01")!
            return WireEncoder.encode(other)
        }
    }
}

/// A way in for poison: what is sent here is decoded like any message that arrives.
struct PoisonSource: SettlementService.Source {
    static let name = "up, poison"

    private let messages: AsyncStream<[[UInt8]]>
    private let sender: AsyncStream<[[UInt8]]>.Continuation
    /// So many volleys wait at most; more of them are dropped.
    private static let waitingMax = 100

    init() {
        (messages, sender) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(Self.waitingMax))
    }

    func send(_ messages: [[UInt8]]) {
        sender.yield(messages)
    }

    func next() async throws -> [SettlementItem]? {
        var iterator = messages.makeAsyncIterator()
        return await iterator.next()?.flatMap { WireDecoder.decodeMessage($0, source: Self.name) }
    }

    func stop() async {
        sender.finish()
    }
}
