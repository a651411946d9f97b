import Testing

@testable import TradeModel

@Suite struct NameTests {
    @Test(arguments: ["BTC/USDT", "BTC-USDT", "BTC_USDT"])
    func `the three spellings of a market are one`(spelling: String) {
        #expect(MarketSymbol(spelling)?.text == "BTC/USDT")
        #expect(MarketSymbol(spelling)?.base.text == "BTC")
        #expect(MarketSymbol(spelling)?.quote.text == "USDT")
    }

    @Test(arguments: [
        "BTCUSDT", "", "/", "BTC/", "/USDT", "BTC/USDT/EUR", "BTC//USDT", "BTC/BTC", "BTC USDT", "BTC:USDT", "B€/X",
    ])
    func `what is no market is refused`(spelling: String) {
        #expect(MarketSymbol(spelling) == nil)
    }

    @Test func `ids that look alike but differ in bytes are different ids`() {
        let composed = Identifier("caf\u{e9}")!
        let decomposed = Identifier("cafe\u{301}")!
        #expect(composed.text == decomposed.text)
        #expect(composed != decomposed)
        #expect(Set([composed, decomposed]).count == 2)
    }

    @Test func `an id has 1 to 64 bytes and no control characters`() {
        #expect(Identifier("") == nil)
        #expect(Identifier(String(repeating: "x", count: 64)) != nil)
        #expect(Identifier(String(repeating: "x", count: 65)) == nil)
        #expect(Identifier(String(repeating: "é", count: 33)) == nil)
        #expect(Identifier("a\0b") == nil)
        #expect(Identifier("a\nb") == nil)
        #expect(Identifier("alice smith") != nil)
    }

    @Test(arguments: [
        ("2026-01-02T03:04:05.678901Z", "2026-01-02T03:04:05.678901Z"),
        ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05.000000Z"),
        ("2026-01-02T03:04:05.5+02:30", "2026-01-02T00:34:05.500000Z"),
        ("2024-02-29T23:59:59.999999999Z", "2024-02-29T23:59:59.999999Z"),
        ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000000Z"),
        ("2000-12-31T23:00:00-01:00", "2001-01-01T00:00:00.000000Z"),
    ])
    func `a time is read and written as RFC 3339`(text: String, written: String) {
        #expect(Timestamp(text)?.description == written)
    }

    @Test(arguments: [
        "", "yesterday", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:00:00",
        "2026-01-01", "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00Zx",
    ])
    func `what is no time is refused`(text: String) {
        #expect(Timestamp(text) == nil)
    }

    @Test func `content is what moves money, and what both sides wrote of the rest`() {
        let trade = Trade(
            id: Identifier("1")!, market: MarketSymbol("BTC/USDT")!, price: DecimalNumber("1.50")!,
            quantity: DecimalNumber("2")!, buyer: Identifier("b")!, seller: Identifier("s")!, taker: .buyer)
        var other = trade
        other.price = DecimalNumber("1.5000")!
        other.taker = nil
        other.sequence = 7
        #expect(trade.hasSameContent(as: other))
        other.taker = .seller
        #expect(!trade.hasSameContent(as: other))
        other = trade
        other.buyerFee = DecimalNumber("0.1")!
        #expect(!trade.hasSameContent(as: other))
    }
}
