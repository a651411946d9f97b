import Foundation
import Repository
import SettleTesting
import Testing
import TradeModel

@testable import settle

/// How files of trades are read.
@Suite struct TradeFileTests {
    private func records(_ text: String) async throws -> [CSVReader.Record] {
        try await withFolder { folder in
            try write(Array(text.utf8), to: folder + "/x.csv")
            var reader = CSVReader(FileLines(try LineReader(folder + "/x.csv")))
            var records: [CSVReader.Record] = []
            while let record = try reader.next() { records.append(record) }
            return records
        }
    }

    @Test(arguments: [
        ("a,b\nc,d\n", [["a", "b"], ["c", "d"]]),
        ("a,b\r\nc,d\r\n", [["a", "b"], ["c", "d"]]),
        ("\u{FEFF}a,b\nc,d", [["a", "b"], ["c", "d"]]),
        ("\"a,1\",\"say \"\"hi\"\"\"\n", [["a,1", "say \"hi\""]]),
        ("\"two\nlines\",b\r\n\r\nc,\n", [["two\nlines", "b"], ["c", ""]]),
        ("\"two\r\nlines\",\"\"\n", [["two\r\nlines", ""]]),
        (",\n\"\"\n", [["", ""], [""]]),
        ("", []),
    ])
    func `records are fields, whatever stands in quotes`(text: String, expected: [[String]]) async throws {
        let fields = try await records(text).map { record -> [String] in
            if case .fields(let fields, _) = record { fields } else { ["malformed"] }
        }
        #expect(fields == expected)
    }

    @Test func `what cannot be read is told by its line, and the next line is read`() async throws {
        #expect(
            try await records("a,b\n5\" disk,c\nd,e\n\"open,f\ng,h\n\"x\"y,i\nj,k\n") == [
                .fields(["a", "b"], line: 1),
                .malformed("field 1 has a quote and does not begin with one", line: 2),
                .fields(["d", "e"], line: 3),
                .malformed("a quote is opened and not closed", line: 4),
                .fields(["g", "h"], line: 5),
                .malformed("something stands behind the closing quote of field 1", line: 6),
                .fields(["j", "k"], line: 7),
            ])
        let rest = (1...200).map { "\($0),x\n" }.joined()
        let found = try await records("a,b\n\"never closed,c\n" + rest)
        #expect(found.count == 202)
        #expect(found[1] == .malformed("a quote is opened and not closed", line: 2))
        #expect(found.last == .fields(["200", "x"], line: 202))
    }

    private func trades(
        _ text: String, name: String = "x", format: TradeFileFormat? = nil, market: String? = nil
    ) async throws -> [String] {
        try await withFolder { folder in
            try write(Array(text.utf8), to: "\(folder)/\(name)")
            var file = try TradeFile("\(folder)/\(name)", format: format, market: market.flatMap { MarketSymbol($0) })
            var found: [String] = []
            while let record = try file.next() {
                switch record {
                case .malformed(let words, let line): found.append("\(line): \(words)")
                case .trade(let trade):
                    let values: [String?] = [
                        "\(trade.place)", "\(trade.market):\(trade.id)", trade.price?.description,
                        trade.quantity?.description, trade.buyer?.text, trade.seller?.text,
                        trade.buyerFee?.description, trade.sellerFee?.description, trade.taker?.rawValue,
                        trade.executedAt?.description, trade.sequence.map { "\($0)" },
                    ]
                    found.append(values.map { $0 ?? "-" }.joined(separator: " "))
                }
            }
            return found
        }
    }

    @Test func `columns are known by their names, in any order`() async throws {
        #expect(
            try await trades(
                "Seller, buyer_id,ID,Symbol,executed_at,price\nbob,alice,7,BTC-USDT,2026-01-02 03:04:05+00,1.50\n") == [
                    "2 BTC/USDT:7 1.5 - alice bob - - - 2026-01-02T03:04:05.000000Z -"
                ])
        #expect(try await trades("trade_id,price\n7,2\n", market: "BTC/USDT") == ["2 BTC/USDT:7 2 - - - - - - - -"])
    }

    @Test func `a message says its fees or does not`() async throws {
        let line = tradeLine("7").trimmingCharacters(in: .newlines)
        let text = """
            \(line)

            \(line.dropLast()),"buyer_fee":"0"}
            {"v":1,"stream":"main","seq":3,"type":"trade","trade":\(line)}
            {"id":8}
            {"trade_id":9,"market":"BTC/USDT","price":1.50,"taker":null,"seq":4,"extra":true}

            """
        #expect(
            try await trades(text) == [
                "1 BTC/USDT:7 100 1 alice bob - - - - -", "3 BTC/USDT:7 100 1 alice bob 0 - - - -",
                "4 BTC/USDT:7 100 1 alice bob - - - - 3", "5: market: missing (byte 0)",
                "6 BTC/USDT:9 1.5 - - - - - - - 4",
            ])
    }

    @Test(arguments: [
        ("7,BTC/USDT,x", "2: price: 'x' is no decimal such as 12.50 of at most 38 digits"),
        (",BTC/USDT,1", "2: it has no trade_id"), ("7,,1", "2: it names no market; '--market' says which is meant"),
        ("7,BTC,1", "2: market: 'BTC' is no market such as BTC/USDT"),
        ("7,BTC/USDT", "2: it has 2 fields, the header 3 columns"),
    ])
    func `a line that says no trade is told why`(line: String, expected: String) async throws {
        #expect(try await trades("id,market,price\n\(line)\n") == [expected])
    }

    @Test(arguments: [#""price":"1","price":"100""#, #""buyer_id":"alice","buyer":"bob""#, #""seq":null,"seq":3"#])
    func `an exported record that says something twice is refused`(fields: String) async throws {
        let text = "{\"trade_id\":\"7\",\"market\":\"BTC/USDT\",\(fields)}\n"
        let name = fields.dropFirst().prefix { $0 != "\"" }
        #expect(try await trades(text) == ["1: \(name) is given twice"])
    }
}
