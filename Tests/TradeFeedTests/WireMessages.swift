import TradeFeed
import TradeModel

/// The messages of `docs/wire.md`, byte for byte.
enum Golden {
    static let envelope = """
        {"v":1,"stream":"main","seq":1042,"type":"trade","trade":{"id":"9001","market":"BTC/USDT","price":"50000.25",\
        "quantity":"0.01","buyer_id":"1001","seller_id":"1002","buy_order_id":"71","sell_order_id":"72",\
        "taker":"buyer","buyer_fee":"0","seller_fee":"0","executed_at":"2026-01-02T03:04:05.678901Z"}}
        """
    static let bare = """
        {"id":"9001","market":"BTC/USDT","price":"50000.25","quantity":"0.01","buyer_id":"1001","seller_id":"1002",\
        "buyer_fee":"0","seller_fee":"0"}
        """
    static let operation = #"{"id":"dep-1","account_id":"1001","asset":"USDT","amount":"250"}"#

    /// As an engine writes it: integers for ids, zeros at the end, line breaks.
    static let received = """
        {"v":1,"stream":"main","seq":1042,"type":"trade","trade":{"id":9001,"market":"BTC/USDT","price":"50000.25","quantity":"0.01000000",
         "buyer_id":1001,"seller_id":1002,"buy_order_id":71,"sell_order_id":72,"taker":"buyer","buyer_fee":"0","seller_fee":"0",
         "executed_at":"2026-01-02T03:04:05.678901Z"}}
        """

    static var bareTrade: Trade {
        Trade(
            id: Identifier(9001), market: MarketSymbol("BTC/USDT")!, price: DecimalNumber("50000.25")!,
            quantity: DecimalNumber("0.01")!, buyer: Identifier(1001), seller: Identifier(1002))
    }

    static var envelopeTrade: Trade {
        var trade = bareTrade
        trade.buyOrder = Identifier(71)
        trade.sellOrder = Identifier(72)
        trade.taker = .buyer
        trade.executedAt = Timestamp("2026-01-02T03:04:05.678901Z")
        trade.stream = Identifier("main")
        trade.sequence = 1042
        return trade
    }
}

/// A trade alone with some fields written otherwise; nil leaves one out, a new name adds one.
func trade(_ changes: [String: String?] = [:]) -> String {
    let fields = [
        ("id", "9001"), ("market", #""BTC/USDT""#), ("price", #""2.50""#), ("quantity", #""4""#),
        ("buyer_id", #""alice""#), ("seller_id", #""bob""#),
    ]
    var written = fields.compactMap { name, value in (changes[name] ?? value).map { "\"\(name)\":\($0)" } }
    for (name, value) in changes.sorted(by: { $0.key < $1.key }) where !fields.contains(where: { $0.0 == name }) {
        if let value { written.append("\"\(name)\":\(value)") }
    }
    return "{" + written.joined(separator: ",") + "}"
}

func decode(_ message: String) -> [SettlementItem] {
    WireDecoder.decodeMessage(Array(message.utf8), source: "test")
}

func decode(bytes: [UInt8]) -> [SettlementItem] {
    WireDecoder.decodeMessage(bytes, source: "test")
}

extension SettlementItem {
    var decodedTrade: Trade? {
        if case .trade(let trade) = subject { trade } else { nil }
    }

    var refusal: RefusedMessage? {
        if case .refused(let refusal) = subject { refusal } else { nil }
    }

    var payloadText: String { String(decoding: payload, as: UTF8.self) }
}

/// SplitMix64: small, and the same on every machine for the same seed.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}

extension Trade {
    /// Any trade that version 1 can tell, the edges more often than chance would.
    static func random(using generator: inout SeededGenerator) -> Trade {
        func maybe<Value>(_ value: (inout SeededGenerator) -> Value) -> Value? {
            Bool.random(using: &generator) ? value(&generator) : nil
        }
        return Trade(
            id: .random(using: &generator), market: .random(using: &generator),
            price: .random(positive: true, using: &generator),
            quantity: .random(positive: true, using: &generator),
            buyer: .random(using: &generator), seller: .random(using: &generator),
            buyOrder: maybe { .random(using: &$0) }, sellOrder: maybe { .random(using: &$0) },
            taker: maybe { Side.allCases.randomElement(using: &$0)! },
            buyerFee: maybe { .random(positive: false, using: &$0) } ?? .zero,
            sellerFee: maybe { .random(positive: false, using: &$0) } ?? .zero,
            executedAt: maybe {
                Timestamp(microseconds: .random(in: 0..<253_402_300_800_000_000, using: &$0))
            },
            stream: maybe { .random(using: &$0) },
            sequence: maybe { [0, .max, .random(in: 0...Int64.max, using: &$0)].randomElement(using: &$0)! })
    }
}

extension Identifier {
    static func random(using generator: inout SeededGenerator) -> Identifier {
        let letters = Array(#"09azAZ-_ "\/{}[]:,éß€𝄞"#)
        switch Int.random(in: 0..<3, using: &generator) {
        case 0: return Identifier(.random(in: 0...UInt64.max, using: &generator))
        case 1: return Identifier(String(repeating: "x", count: .random(in: 1...64, using: &generator)))!
        default:
            let length = Int.random(in: 1...16, using: &generator)
            let id = Identifier(String((0..<length).map { _ in letters.randomElement(using: &generator)! }))!
            return id.hasOuterBlanks ? Identifier("(\(id))")! : id
        }
    }
}

extension MarketSymbol {
    static func random(using generator: inout SeededGenerator) -> MarketSymbol {
        ["BTC/USDT", "a/b", "ABCDEFGHIJKLMNOP/1000.SATS", "ETH/BTC"].randomElement(using: &generator)
            .flatMap { MarketSymbol($0) }!
    }
}

extension DecimalNumber {
    static func random(positive: Bool, using generator: inout SeededGenerator) -> DecimalNumber {
        let bound = powerOfTen(.random(in: 1...38, using: &generator)) - 1
        let coefficient = Int128.random(in: (positive ? 1 : -bound)...bound, using: &generator)
        return DecimalNumber(coefficient, scale: .random(in: 0...DecimalNumber.scaleMax, using: &generator))!
    }
}
