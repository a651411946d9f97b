import ServiceKit
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
            // Accounts that no engine of ours knows: whatever becomes of the letter, its balances are not touched.
            let accounts = #""buyer_id":"\#(OtherVenue.poorAccount)","seller_id":"\#(OtherVenue.seller)""#
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

    private struct State: Sendable {
        var messages: [[UInt8]] = []
        var isStopped = false
    }

    private let state = Guarded(State())
    /// So many messages wait at most, while the queue is paused; more of them are dropped.
    private static let waitingMax = 500

    /// Returns whether there was room for all of them.
    func send(_ messages: [[UInt8]]) -> Bool {
        state.withLock { state in
            guard state.messages.count + messages.count <= Self.waitingMax else { return false }
            state.messages += messages
            return true
        }
    }

    func next() async throws -> [SettlementItem]? {
        let asked = ContinuousClock.now
        while ContinuousClock.now - asked < .milliseconds(250) {
            let (messages, isStopped) = state.withLock { state in
                defer { state.messages = [] }
                return (state.messages, state.isStopped)
            }
            if !messages.isEmpty { return messages.flatMap { WireDecoder.decodeMessage($0, source: Self.name) } }
            if isStopped { return nil }
            try await Task.sleep(for: .milliseconds(10))
        }
        return []
    }

    func stop() async {
        state.withLock { $0.isStopped = true }
    }
}
