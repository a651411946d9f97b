import Testing
import TradeModel

@testable import TradeFeed

/// Another version of what was received, field by field.
@Suite struct WireEditorTests {
    private func edit(_ message: String, _ changes: (String, String)...) throws -> String {
        let changes = try changes.map { try #require(WireEditor.Change(field: $0.0, text: $0.1)) }
        return String(decoding: try WireEditor.apply(changes, to: Array(message.utf8)), as: UTF8.self)
    }

    private let valid =
        #"{"id":7,"market":"BTC-USDT","price":"100.50","quantity":"2","buyer_id":1001,"seller_id":"bob","taker":"buyer"}"#

    @Test func `a field is given anew, the others stay, and the result is canonical`() throws {
        #expect(
            try edit(valid, ("price", "99"))
                == #"{"id":"7","market":"BTC/USDT","price":"99","quantity":"2","buyer_id":"1001","seller_id":"bob","#
                + #""taker":"buyer","buyer_fee":"0","seller_fee":"0"}"#)
        #expect(try !edit(valid, ("taker", "")).contains("taker"))
        #expect(try edit(valid, ("price", "1"), ("price", "2")).contains(#""price":"2""#))
    }

    @Test(arguments: [
        #"{"id":7,"market":"BTC/USDT","price":"-1","quantity":"2","buyer_id":"a","seller_id":"b"}"#,
        #"{"id":7,"market":"BTC/USDT","price":12.5,"quantity":"2","buyer_id":"a","seller_id":"b"}"#,
        #"{"id":7,"market":"BTC/USDT","quantity":"2","buyer_id":"a","seller_id":"b"}"#,
        #"{"id":7,"market":"BTC/USDT","price":"1","price":"2","quantity":"2","buyer_id":"a","seller_id":"b"}"#,
        #"{"id":7,"market":"BTC/USDT","prise":"1","quantity":"2","buyer_id":"a","seller_id":"b"}"#,
    ])
    func `a message that could not be a trade becomes one`(message: String) throws {
        #expect(throws: Rejection.self) { try edit(message) }
        let edited = try edit(message, ("price", "3"))
        #expect(edited.hasPrefix(#"{"id":"7","market":"BTC/USDT","price":"3","quantity":"2","buyer_id":"a""#))
        #expect(!edited.contains("prise"))
    }

    @Test func `the envelope stays`() throws {
        let message =
            #"{"v":1,"stream":"main","seq":12,"type":"trade","trade":{"id":7,"market":"BTC/USDT","price":"0","#
            + #""quantity":"2","buyer_id":"a","seller_id":"b"}}"#
        let edited = try edit(message, ("price", "5"))
        #expect(edited.hasPrefix(#"{"v":1,"stream":"main","seq":12,"type":"trade","trade":{"id":"7""#))
    }

    @Test(arguments: [
        ("price", "abc"), ("price", "-1"), ("price", "1\"}"), ("id", ""), ("id", "a\u{1}b"), ("market", "BTC"),
        ("taker", "both"), ("quantity", "0"), ("executed_at", "yesterday"),
    ])
    func `what would be no trade is refused`(field: String, text: String) throws {
        #expect(throws: Rejection.self) { try edit(valid, (field, text)) }
    }

    @Test(arguments: ["", "[1,2]", "what", "\u{feff}{", "[\(String(repeating: "[", count: 40))", "{\"id\":7} x"])
    func `what has no fields has to be given as a whole`(message: String) throws {
        #expect(throws: Rejection.self) { try edit(message, ("price", "1")) }
    }

    @Test func `only the fields of a trade can be given`() {
        for name in ["v", "stream", "seq", "type", "trade", "account_id", "prise", ""] {
            #expect(WireEditor.Change(field: name, text: "1") == nil, "\(name)")
        }
        #expect(WireEditor.fields.count == 12)
    }

    @Test func `a whole trade is taken as it is, and nothing else`() throws {
        #expect(throws: Never.self) { try WireEditor.canonical(Array(valid.utf8)) }
        for message in ["[]", "[\(valid),\(valid)]", "\(valid)\(valid)", "{}", "x"] {
            #expect(throws: Rejection.self) { try WireEditor.canonical(Array(message.utf8)) }
        }
    }
}
