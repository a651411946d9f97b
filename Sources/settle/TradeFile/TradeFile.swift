import CommandKit
import Repository
import TradeFeed
import TradeModel

enum TradeFileFormat: String, ArgumentValue, CaseIterable { case csv, ndjson }

/// A file of trades from elsewhere, read trade by trade in bounded memory: NDJSON as `settle trade submit` takes it, or
/// what `settle export trades` wrote, in both of its formats.
struct TradeFile {
    enum Record {
        case trade(StatedTrade)
        case malformed(String, line: Int)
    }

    let name: String
    /// Columns that are not compared, because they say nothing that is known here.
    let unknownColumns: [String]
    private let market: MarketSymbol?
    private var content: Content

    private enum Content {
        case csv(CSVReader, columns: [TradeFileField?])
        case ndjson(FileLines)
    }

    /// - Parameter market: the market of records that name none.
    init(_ path: String, format: TradeFileFormat?, market: MarketSymbol?) throws {
        let reader = try LineReader(path)
        name = reader.name
        self.market = market
        var lines = FileLines(reader)
        switch try format ?? Self.named(path) ?? Self.found(in: &lines) {
        case .ndjson:
            content = .ndjson(lines)
            unknownColumns = []
        case .csv:
            var csv = CSVReader(lines)
            let names = try Self.header(&csv, of: name)
            let columns = names.map { TradeFileField(named: $0) }
            try Self.check(columns, of: name, market: market)
            unknownColumns = zip(names, columns).filter {
                $1 == nil && !TradeFileField.passedOver.contains($0.lowercased())
            }.map(\.0)
            content = .csv(csv, columns: columns)
        }
    }

    /// The next trade, or a line that is none; nil after the last.
    mutating func next() throws -> Record? {
        switch content {
        case .csv(var reader, let columns):
            defer { content = .csv(reader, columns: columns) }
            return try reader.next().map { record(of: $0, columns) }
        case .ndjson(var lines):
            defer { content = .ndjson(lines) }
            while let line = try lines.next() {
                if let record = record(of: line, number: lines.number) { return record }
            }
            return nil
        }
    }

    // MARK: CSV

    private func record(of row: CSVReader.Record, _ columns: [TradeFileField?]) -> Record {
        switch row {
        case .malformed(let words, let line): return .malformed(words, line: line)
        case .fields(let texts, let line):
            guard texts.count == columns.count else {
                return .malformed(
                    "it has \(texts.count.counted("field")), the header \(columns.count.counted("column"))", line: line)
            }
            return stated(zip(columns, texts).compactMap { column, text in column.map { ($0, text) } }, line)
        }
    }

    private static func header(_ csv: inout CSVReader, of name: String) throws -> [String] {
        switch try csv.next() {
        case .fields(let names, _): return names
        case .malformed(let words, let line):
            throw CommandFailure("the header in line \(line) of \(name.printable) cannot be read: \(words)")
        case nil: throw CommandFailure("\(name.printable) is empty; a CSV file begins with the names of its columns")
        }
    }

    private static func check(_ columns: [TradeFileField?], of name: String, market: MarketSymbol?) throws {
        for field in TradeFileField.allCases where columns.count(where: { $0 == field }) > 1 {
            throw CommandFailure("\(name.printable) has several columns for \(field.names[0])")
        }
        for field in [TradeFileField.id, .market] where !columns.contains(field) {
            guard field != .market || market == nil else { continue }
            throw CommandFailure(
                "the first line of \(name.printable) names no column \(field.names.joined(separator: " or "))"
                    + (field == .market ? "; '--market' says which market is meant" : "")
                    + ". A CSV file begins with the names of its columns, such as market,trade_id,price,quantity")
        }
    }

    // MARK: NDJSON

    private static let exportedKey = Array("\"trade_id\"".utf8)

    /// A record of an export has a `trade_id`, which a message never has.
    private func record(of line: [UInt8], number: Int) -> Record? {
        if line.contains(Self.exportedKey), case .success(let fields) = WireDecoder.decodeFlatLine(line),
            fields.contains(where: { $0.name == "trade_id" })
        {
            let known = fields.compactMap { name, text in TradeFileField(named: name).map { (field: $0, text: text) } }
            if let field = TradeFileField.allCases.first(where: { field in known.count { $0.field == field } > 1 }) {
                return .malformed("\(field.names[0]) is given twice", line: number)
            }
            return stated(known.compactMap { field, text in text.map { (field, $0) } }, number)
        }
        switch WireDecoder.decodeStatedLine(line) {
        case nil: return nil
        case .failure(let rejection): return .malformed(rejection.message, line: number)
        case .success(let found):
            var trade = StatedTrade(found.trade, place: Int64(number))
            if !found.saysBuyerFee { trade.buyerFee = nil }
            if !found.saysSellerFee { trade.sellerFee = nil }
            return .trade(trade)
        }
    }

    private func stated(_ texts: [(field: TradeFileField, text: String)], _ line: Int) -> Record {
        do throws(UnreadableTrade) {
            return .trade(try StatedTrade(texts, place: Int64(line), market: market))
        } catch {
            return .malformed(error.words, line: line)
        }
    }

    // MARK: Formats

    private static func named(_ path: String) -> TradeFileFormat? {
        let name = path.lowercased()
        if name.hasSuffix(".csv") { return .csv }
        return [".ndjson", ".jsonl"].contains { name.hasSuffix($0) } ? .ndjson : nil
    }

    /// A first line that begins as an object does, is one.
    private static func found(in lines: inout FileLines) throws -> TradeFileFormat {
        var read: [[UInt8]] = []
        defer { lines.giveBack(read) }
        while let line = try lines.next() {
            read.append(line)
            if let first = line.first(where: { ![0x20, 0x09, 0x0d, 0xef, 0xbb, 0xbf].contains($0) }) {
                return first == UInt8(ascii: "{") ? .ndjson : .csv
            }
            guard read.count < 100 else { break }
        }
        return .csv
    }
}
