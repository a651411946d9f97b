import Testing
import TradeFeed
import TradeModel

@Suite("Wire version 1, read")
struct WireDecoderTests {
    @Test func `a trade in its envelope is read whole`() throws {
        let item = try #require(decode(Golden.received).first)
        #expect(item.decodedTrade == Golden.envelopeTrade)
        #expect(item.payloadText == Golden.received)
        #expect(item.origin == .message("test"))
    }

    @Test func `a trade may come without its envelope`() {
        #expect(decode(Golden.bare).map(\.decodedTrade) == [Golden.bareTrade])
    }

    @Test func `null is the same as left out`() {
        let written = trade([
            "buy_order_id": "null", "sell_order_id": "null", "taker": "null", "buyer_fee": "null",
            "seller_fee": "null", "executed_at": "null",
        ])
        #expect(decode(written)[0].decodedTrade != nil)
        #expect(decode(written)[0].decodedTrade == decode(trade())[0].decodedTrade)
        let envelope = #"{"v":1,"stream":null,"seq":null,"type":"trade","trade":\#(trade())}"#
        #expect(decode(envelope)[0].decodedTrade == decode(trade())[0].decodedTrade)
    }

    @Test func `keys may come in any order, with escapes and white space anywhere`() {
        let message = """
             \t{ "trade" : { "seller_id":"bob", "quantity":"4","price":"2.50" , "m\\u0061rket":"BTC\\/USDT",
            "buyer_id":"\\u0061lice","id":9001 } ,\r\n"type":"tr\\u0061de", "v":1 }\n
            """
        #expect(decode(message)[0].decodedTrade == decode(trade())[0].decodedTrade)
    }

    @Test(arguments: [
        ("0", "0"), ("-0", "0"), ("-7", "-7"), ("18446744073709551616", "18446744073709551616"),
        (String(repeating: "9", count: 64), String(repeating: "9", count: 64)),
        (#""9001""#, "9001"), (#""-0""#, "-0"), (#""007""#, "007"),
        (#""\u00e9\ud834\udd1e\n""#.replacing(#"\n"#, with: ""), "é𝄞"),
        (#""01ARZ3NDEKTSV4RRFFQ69G5FAV""#, "01ARZ3NDEKTSV4RRFFQ69G5FAV"),
    ])
    func `an id is text, or an integer's digits`(written: String, id: String) {
        #expect(decode(trade(["id": written]))[0].decodedTrade?.id == Identifier(id))
    }

    @Test func `fees may be negative`() {
        let read = decode(trade(["buyer_fee": #""-0.10""#, "seller_fee": #""0.25""#]))[0].decodedTrade
        #expect(read?.buyerFee == DecimalNumber("-0.1"))
        #expect(read?.sellerFee == DecimalNumber("0.25"))
    }

    @Test(
        arguments: [
            (["price": #""abc""#], #"price: "abc" is no decimal such as "12.50" of at most 38 digits (byte 39)"#),
            (["price": #""1e5""#], #"price: "1e5" is no decimal such as "12.50" of at most 38 digits (byte 39)"#),
            (["price": #""+1""#], #"price: "+1" is no decimal such as "12.50" of at most 38 digits (byte 39)"#),
            (["price": #""""#], #"price: "" is no decimal such as "12.50" of at most 38 digits (byte 39)"#),
            (["price": #""0.00""#], "price: must be greater than zero, is 0 (byte 39)"),
            (["price": #""-1""#], "price: must be greater than zero, is -1 (byte 39)"),
            (["quantity": #""0""#], "quantity: must be greater than zero, is 0 (byte 57)"),
            (["quantity": #""-0""#], "quantity: must be greater than zero, is 0 (byte 57)"),
            (["market": #""BTCUSDT""#], #"market: "BTCUSDT" is no market; one is written BASE/QUOTE (byte 20)"#),
            (["market": #""BTC/BTC""#], #"market: "BTC/BTC" is no market; one is written BASE/QUOTE (byte 20)"#),
            (["id": #""""#], "id: an id must not be empty (byte 6)"),
            (["id": #""a\u0000b""#], "id: an id must not hold control characters (byte 6)"),
            (["taker": #""Buyer""#], #"taker: expected "buyer" or "seller", found "Buyer" (byte 106)"#),
            (["executed_at": #""yesterday""#], nil),
            (["executed_at": #""2026-02-30T00:00:00Z""#], nil),
            (["executed_at": #""1970-01-01T00:00:00+01:00""#], nil),
            (["executed_at": #""9999-12-31T23:59:59-01:00""#], nil),
            (["buyer_fee": #""1 ""#], nil),
        ] as [([String: String], String?)])
    func `an unacceptable value is invalid, and the message says which and where`(
        changes: [String: String], message: String?
    ) throws {
        let items = decode(trade(changes))
        let refusal = try #require(items.first?.refusal)
        #expect(refusal.rejection.failureClass == .invalid)
        if let message { #expect(refusal.rejection.message == message) }
        #expect(items[0].payloadText == trade(changes))
    }

    @Test func `too many digits are invalid, not rounded`() throws {
        for digits in [String(repeating: "9", count: 39), "0." + String(repeating: "0", count: 36) + "1"] {
            let refusal = try #require(decode(trade(["price": "\"\(digits)\""]))[0].refusal)
            #expect(refusal.rejection.failureClass == .invalid)
        }
        #expect(decode(trade(["price": "\"" + String(repeating: "9", count: 38) + "\""]))[0].decodedTrade != nil)
    }

    @Test(
        arguments: [
            (["price": "2.5"], "price: expected a decimal in a string, found a number with a point or an exponent"),
            (["price": "2"], "price: expected a decimal in a string, found a number"),
            (["price": "null"], "price: expected a decimal in a string, found null"),
            (["buyer_fee": "0"], "buyer_fee: expected a decimal in a string, found a number"),
            (["id": "1.0"], "id: expected an id (a string or an integer), found a number with a point or an exponent"),
            (["id": "1e3"], "id: expected an id (a string or an integer), found a number with a point or an exponent"),
            (["id": "true"], "id: expected an id (a string or an integer), found true or false"),
            (["market": "7"], "market: expected a string, found a number"),
            (["taker": "{}"], "taker: expected a string, found an object"),
            (["executed_at": "1767323045"], "executed_at: expected a string, found a number"),
            (["buyer_fees": #""1""#], #""buyer_fees": unknown field"#),
            (["v": "1"], #""v": unknown field"#),
            (["account_id": "1"], #""account_id": unknown field"#),
        ] as [([String: String], String)])
    func `a wrong type or an unknown field is undecodable`(changes: [String: String], message: String) throws {
        let refusal = try #require(decode(trade(changes))[0].refusal)
        #expect(refusal.rejection.failureClass == .undecodable)
        #expect(refusal.rejection.message.hasPrefix(message + " (byte "))
    }

    @Test(arguments: ["id", "market", "price", "quantity", "buyer_id", "seller_id"])
    func `a required field must be there`(field: String) throws {
        let refusal = try #require(decode(trade([field: nil]))[0].refusal)
        #expect(refusal.rejection == Rejection(.undecodable, "\(field): missing (byte 0)"))
    }

    @Test func `a key given twice is undecodable, however it is spelt`() throws {
        for again in [#""price":"2.50""#, #""pr\u0069ce":"9""#] {
            let refusal = try #require(decode(trade().dropLast() + "," + again + "}")[0].refusal)
            #expect(refusal.rejection.failureClass == .undecodable)
            #expect(refusal.rejection.message.hasPrefix("price: given twice"))
            #expect(refusal.tradeID == "9001")
        }
        let twoIDs = try #require(decode(trade().dropLast() + #","id":7}"#)[0].refusal)
        #expect(twoIDs.tradeID == nil)
    }

    @Test(arguments: [
        (#"{"v":2,"type":"trade","trade":TRADE}"#, "v: expected 1, found 2"),
        (#"{"v":"1","type":"trade","trade":TRADE}"#, "v: expected an integer, found a string"),
        (#"{"type":"trade","trade":TRADE}"#, "v: missing"),
        (#"{"v":1,"trade":TRADE}"#, "type: missing"),
        (#"{"v":1,"type":"trade"}"#, "trade: missing"),
        (#"{"v":1,"type":"deposit","trade":TRADE}"#, #"type: expected "trade", found "deposit""#),
        (#"{"v":1,"type":"trade","trade":[]}"#, "trade: expected an object, found an array"),
        (#"{"v":1,"type":"trade","trade":null}"#, "trade: expected an object, found null"),
        (#"{"v":1,"type":"trade","trade":TRADE,"extra":{}}"#, #""extra": unknown field"#),
        (#"{"v":1,"type":"trade","trade":TRADE,"id":1}"#, #""id": unknown field"#),
        (#"{"v":1,"seq":1.0,"type":"trade","trade":TRADE}"#, "seq: expected an integer, found a number with a point"),
        (#"{"v":1,"seq":"1","type":"trade","trade":TRADE}"#, "seq: expected an integer, found a string"),
    ])
    func `an envelope must be one of version 1`(message: String, expected: String) throws {
        let item = decode(message.replacing("TRADE", with: trade()))[0]
        let refusal = try #require(item.refusal)
        #expect(refusal.rejection.failureClass == .undecodable)
        #expect(refusal.rejection.message.hasPrefix(expected))
        if message.contains("TRADE") { #expect(refusal.tradeID == "9001") }
    }

    @Test func `a sequence is 0 to 2^63-1`() throws {
        func sequence(_ text: String) -> SettlementItem {
            decode(#"{"v":1,"seq":\#(text),"type":"trade","trade":\#(trade())}"#)[0]
        }
        #expect(sequence("0").decodedTrade?.sequence == 0)
        #expect(sequence("9223372036854775807").decodedTrade?.sequence == .max)
        for text in ["9223372036854775808", "-1", String(repeating: "9", count: 5_000)] {
            #expect(sequence(text).refusal?.rejection.failureClass == .invalid)
        }
    }

    @Test func `a fault inside an envelope is told with its path and its byte`() throws {
        let message = #"{"v":1,"type":"trade","trade":{"id":9001,"price":5}}"#
        let refusal = try #require(decode(message)[0].refusal)
        #expect(refusal.rejection.message == "trade.price: expected a decimal in a string, found a number (byte 49)")
        #expect(Array(message.utf8)[49] == UInt8(ascii: "5"))
    }

    @Test func `what is refused keeps its name where it could be read`() throws {
        let late = #"{"price":1,"quantity":"1","id":"t-1","market":"BTC-USDT"}"#
        let named = try #require(decode(late)[0].refusal)
        #expect(named.market == "BTC/USDT")
        #expect(named.tradeID == "t-1")
        let strange = try #require(decode(trade(["market": #""gold""#]))[0].refusal)
        #expect(strange.market == "gold")
        let unfit = try #require(decode(trade(["market": #""a\u0000b""#, "id": #""x\u0000""#]))[0].refusal)
        #expect(unfit.market == nil && unfit.tradeID == nil)
        #expect(!unfit.rejection.message.utf8.contains(0))
    }

    @Test func `shape is judged before values`() {
        let refusal = decode(trade(["price": #""abc""#, "quantity": "1"]))[0].refusal
        #expect(refusal?.rejection.failureClass == .undecodable)
    }

    @Test(arguments: [
        "", " ", "\n", "nothing", "{", "}", "[", "[,]", "{]", #"{"id""#, #"{"id":}"#, "{,}", #"{"id":1,}"#, "tru",
        "nul",
        "01", "-", "1.", "1e", ".5", "+1", "\"", #""\x""#, #""\u12g4""#, #""\ud800""#, #""\ud800\u0041""#, #""\udc00""#,
        "\"\u{1}\"", "{'id':1}", "{id:1}", "NaN", "// x", "\u{0}",
    ])
    func `what is not JSON is undecodable in whole`(text: String) throws {
        let items = decode(text)
        #expect(items.count == 1)
        let refusal = try #require(items.first?.refusal)
        #expect(refusal.rejection.failureClass == .undecodable)
        #expect(refusal.rejection.message.contains("(byte "))
        #expect(items[0].payloadText == text)
        #expect(decode(trade() + "\n" + (text.isEmpty ? "x" : text.contains { $0 > " " } ? text : "x")).count == 1)
    }

    @Test(
        arguments: [
            [0x80], [0xc0, 0x80], [0xc3], [0xe0, 0x80, 0x80], [0xed, 0xa0, 0x80], [0xf0, 0x80, 0x80, 0x80],
            [0xf4, 0x90, 0x80, 0x80], [0xf5, 0x80, 0x80, 0x80], [0xff],
        ] as [[UInt8]])
    func `invalid UTF-8 is undecodable`(bytes: [UInt8]) throws {
        let message = Array(#"{"id":""#.utf8) + bytes + Array(#""}"#.utf8)
        let refusal = try #require(decode(bytes: message)[0].refusal)
        #expect(refusal.rejection == Rejection(.undecodable, "invalid UTF-8 (byte 7)"))
    }

    @Test func `a JSON value that is no trade is undecodable`() {
        for text in ["1", "\"x\"", "null", "true", "{}", "[[]]", "[{}]", "[1]"] {
            let items = decode(text)
            #expect(items.count == 1 && items[0].refusal?.rejection.failureClass == .undecodable, "\(text)")
        }
    }

    @Test func `an empty array is nothing`() {
        #expect(decode("[]").isEmpty)
        #expect(decode(" [ ] ").isEmpty)
    }

    @Test func `in an array a bad element refuses only itself`() throws {
        let elements = [
            trade(["id": "1"]), trade(["id": "2", "price": "3"]), "17",
            #"{"v":1,"seq":5,"type":"trade","trade":\#(trade(["id": "4"]))}"#,
            trade(["id": "5", "taker": #""x""#]), #"{"v":9,"deep":{"a":[{"b":[]}]}}"#, trade(["id": "7"]),
        ]
        let items = decode("[\n" + elements.joined(separator: " ,\n") + " ]")
        #expect(items.map(\.payloadText) == elements)
        #expect(items.map { $0.decodedTrade?.id.text } == ["1", nil, nil, "4", nil, nil, "7"])
        #expect(items[1].refusal?.tradeID == "2")
        #expect(items[1].refusal?.rejection.message.hasSuffix("(byte 36)") == true)
        #expect(items[4].refusal?.rejection.failureClass == .invalid)
    }

    @Test func `of an array that is cut nothing is taken`() {
        let whole = "[" + (1...5).map { trade(["id": "\($0)"]) }.joined(separator: ",") + "]"
        for length in 1..<whole.utf8.count {
            let cut = Array(whole.utf8.prefix(length))
            let items = decode(bytes: cut)
            #expect(items.count == 1 && items[0].refusal?.rejection.failureClass == .undecodable)
            #expect(items[0].payload == cut)
        }
        #expect(decode(whole).compactMap(\.decodedTrade).count == 5)
        #expect(decode(whole + trade()).count == 1)
    }

    @Test func `limits hold`() throws {
        let deep = String(repeating: "[", count: 100_000)
        #expect(decode(deep)[0].refusal?.rejection.message == "nested deeper than 32 levels (byte 32)")
        let many = "[" + String(repeating: "0,", count: WireLimits.arrayElementsMax) + "0]"
        #expect(decode(many).count == 1)
        #expect(decode(many)[0].payload.count == many.utf8.count)
        let full = "[" + String(repeating: "0,", count: WireLimits.arrayElementsMax - 1) + "0]"
        #expect(decode(full).count == WireLimits.arrayElementsMax)
        let padding = [UInt8](repeating: 0x20, count: WireLimits.messageBytesMax - trade().utf8.count)
        #expect(decode(bytes: Array(trade().utf8) + padding)[0].decodedTrade != nil)
        let long = decode(bytes: Array(trade().utf8) + padding + [0x20])
        #expect(long[0].refusal?.rejection.message == "1048577 bytes, a message has at most 1048576")
        #expect(long[0].payload.count == 1_048_577)
    }

    @Test func `a long value is told shortly`() throws {
        let market = "\"" + String(repeating: "é\\n", count: 900) + "\""
        let refusal = try #require(decode(trade(["market": market]))[0].refusal)
        #expect(refusal.rejection.message.count < 300)
        #expect(refusal.market == nil)
    }

    @Test func `a byte order mark at the start is passed over`() {
        let item = WireDecoder.decodeLine([0xef, 0xbb, 0xbf] + Array(trade().utf8), source: "file")
        #expect(item?.decodedTrade != nil)
        #expect(item?.payload.count == trade().utf8.count + 3)
        #expect(WireDecoder.decodeLine([0xef, 0xbb, 0xbf], source: "file") == nil)
    }

    @Test func `a line is one trade`() {
        func line(_ text: String) -> SettlementItem? {
            WireDecoder.decodeLine(Array(text.utf8), source: "trades.json:7")
        }
        #expect(line(Golden.envelope)?.decodedTrade == Golden.envelopeTrade)
        #expect(line(trade() + "\r")?.decodedTrade != nil)
        #expect(line("") == nil)
        #expect(line(" \t\r") == nil)
        #expect(line("[" + trade() + "]")?.refusal?.rejection.failureClass == .undecodable)
        #expect(line(trade() + trade())?.refusal?.rejection.failureClass == .undecodable)
        #expect(line("x")?.origin == .message("trades.json:7"))
    }
}

@Suite("Lines of deposits and withdrawals")
struct OperationLineTests {
    private func read(_ text: String) -> Result<TradeModel.Operation, Rejection>? {
        WireDecoder.decodeOperationLine(Array(text.utf8), kind: .deposit)
    }

    @Test func `a line is one operation of the caller's kind`() throws {
        let operation = try #require(
            try read(#"{"id":"dep-1","account_id":1001,"asset":"USDT","amount":"250.00"}"#)?.get())
        #expect(
            operation
                == TradeModel.Operation(
                    key: Identifier("dep-1")!, kind: .deposit, account: Identifier(1001),
                    asset: AssetSymbol("USDT")!, amount: DecimalNumber("250")!))
        #expect(WireEncoder.encode(operation) == Array(Golden.operation.utf8))
        #expect(read(Golden.operation) == .success(operation))
        let withdrawal = WireDecoder.decodeOperationLine(Array(Golden.operation.utf8), kind: .withdrawal)
        #expect(try withdrawal?.get().kind == .withdrawal)
    }

    @Test func `an empty line is nothing`() {
        #expect(read("") == nil)
        #expect(read("  \r") == nil)
    }

    @Test(arguments: [
        ("x", FailureClass.undecodable, #"expected a value, found "x" (byte 0)"#),
        ("[]", .undecodable, "expected an operation (an object), found an array (byte 0)"),
        ("{}", .undecodable, "id: missing (byte 0)"),
        (#"{"id":1,"account_id":1,"asset":"USDT"}"#, .undecodable, "amount: missing (byte 0)"),
        (
            #"{"id":1,"account_id":1,"asset":"USDT","amount":1}"#, .undecodable,
            "amount: expected a decimal in a string, found a number (byte 47)"
        ),
        (#"{"id":1,"market":"A/B"}"#, .undecodable, #""market": unknown field (byte 8)"#),
        (
            #"{"id":1,"account_id":1,"asset":"USDT","amount":"0"}"#, .invalid,
            "amount: must be greater than zero, is 0 (byte 47)"
        ),
        (#"{"id":"","account_id":1,"asset":"USDT","amount":"1"}"#, .invalid, "id: an id must not be empty (byte 6)"),
        (
            #"{"id":1,"account_id":1,"asset":"US T","amount":"1"}"#, .invalid,
            #"asset: "US T" is no asset; one has 1 to 16 letters, digits or points (byte 31)"#
        ),
    ])
    func `a bad line says what is wrong`(line: String, failureClass: FailureClass, message: String) {
        #expect(read(line) == .failure(Rejection(failureClass, message)))
    }
}
