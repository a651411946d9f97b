import ServiceKit
import SettleTesting
import Testing
import TradeModel

@testable import Repository

/// Values cross to the server and back in binary; the server's own text says whether they arrived.
@Suite struct BinaryFormTests {
    private func extremes() -> [DecimalNumber] {
        var numbers: [DecimalNumber] = [.zero]
        for digits in 1...38 {
            let power = powerOfTen(digits - 1)
            for coefficient in [power, power * 9, power - 1, power + 1] {
                for scale in [0, 1, 3, 4, 5, 18, 35, 36] {
                    if let number = DecimalNumber(coefficient, scale: scale) { numbers.append(number) }
                    if let number = DecimalNumber(-coefficient, scale: scale) { numbers.append(number) }
                }
            }
        }
        numbers.append(DecimalNumber(Amount.maximum.units, scale: 0)!)
        return numbers
    }

    private func random(_ seed: UInt64) -> [DecimalNumber] {
        var random = SeededGenerator(seed: seed)
        return (0..<3_000).map { _ in
            let digits = Int.random(in: 1...38, using: &random)
            let coefficient = Int128.random(in: -powerOfTen(digits) + 1..<powerOfTen(digits), using: &random)
            return DecimalNumber(coefficient, scale: Int.random(in: 0...36, using: &random))!
        }
    }

    @Test func `a number is to the server what its text says, and comes back the same`() throws {
        let connection = try TestDatabase().connect()
        let numbers = extremes() + random(7)
        let rows = try connection.query(
            Request(
                Statement(
                    "numbers",
                    "select n, trim_scale(n)::text from unnest($1) with ordinality u(n, place) order by place"),
                [.decimals(numbers) { $0 }]))
        #expect(rows.count == numbers.count)
        for (row, number) in numbers.enumerated() {
            #expect(rows.string(row, 1) == number.description)
            #expect(rows.decimal(row, 0) == number, "\(number)")
        }
    }

    @Test(arguments: [
        "NaN", "Infinity", "-Infinity", "1e38", "-1e38", "1e-37", "1e200", "123456789012345678901234567890123456789",
        "0.1234567890123456789012345678901234567890",
    ])
    func `a number that is none of ours is not taken for another`(text: String) throws {
        let connection = try TestDatabase().connect()
        let rows = try connection.query(Statement("number", "select $1::numeric"), .text(text))
        #expect(rows.decimal(0, 0) == nil)
    }

    @Test(arguments: ["0", "0.000", "1.500", "10000", "100000000", "0.0001", "99999999999999999999999999999999999999"])
    func `a number with zeros that do not count is read without them`(text: String) throws {
        let connection = try TestDatabase().connect()
        let rows = try connection.query(Statement("number", "select $1::numeric"), .text(text))
        #expect(rows.decimal(0, 0) == DecimalNumber(text))
    }

    @Test func `arrays with NULL, nothing or anything in them arrive as they are`() throws {
        let connection = try TestDatabase().connect()
        let texts: [String?] = [nil, "", "'", "\"", "\\", "{a,b}", "NULL", "é", "e\u{301}", "😀", "a\nb\t", "--;$1"]
        let rows = try connection.pipeline([
            Request(Statement("texts", "select unnest($1)"), [.texts(texts) { $0 }]),
            Request(Statement("none", "select count(*) from unnest($1)"), [.texts([String]()) { $0 }]),
            Request(Statement("int8s", "select unnest($1)"), [.int8s([nil, Int64.min, -1, 0, Int64.max]) { $0 }]),
            Request(Statement("int4s", "select unnest($1)::bigint"), [.int4s([nil, Int32.min, Int32.max]) { $0 }]),
            Request(Statement("bools", "select unnest($1)"), [.bools([true, false]) { $0 }]),
            Request(Statement("bytes", "select unnest($1)"), [.byteArrays([[], [0, 255, 39, 92]]) { $0 }]),
            Request(
                Statement("amounts", "select unnest($1)"), [.amounts([nil, .maximum, Amount.maximum.negated]) { $0 }]),
            Request(
                Statement("times", "select unnest($1)::text"),
                [.timestamps([nil, Timestamp("2026-01-02T03:04:05.678901Z")]) { $0 }]),
        ])
        #expect(
            rows[0].indices.map { rows[0].optional($0, 0, rows[0].string)?.utf8.map(\.self) }
                == texts.map { $0?.utf8.map(\.self) })
        #expect(rows[1].int64(0, 0) == 0)
        #expect(rows[2].indices.map { rows[2].optional($0, 0, rows[2].int64) } == [nil, .min, -1, 0, .max])
        #expect(
            rows[3].indices.map { rows[3].optional($0, 0, rows[3].int64) } == [nil, Int64(Int32.min), Int64(Int32.max)])
        #expect(rows[4].indices.map { rows[4].bool($0, 0) } == [true, false])
        #expect(rows[5].indices.map { rows[5].byteArray($0, 0) } == [[], [0, 255, 39, 92]])
        #expect(
            rows[6].isNull(0, 0) && rows[6].amount(1, 0) == .maximum && rows[6].amount(2, 0) == Amount.maximum.negated)
        #expect(rows[7].string(1, 0) == "2026-01-02 03:04:05.678901+00")
    }

    @Test func `a pipeline that fails in the middle leaves the connection as good as before`() throws {
        let connection = try TestDatabase().connect()
        let good = Request(Statement("good", "select 1::bigint"))
        let bad = Request(Statement("bad", "select 1 / 0"))
        let unknown = Request(Statement("unknown", "select nothing"))
        let late = Request(Statement("late", "select 2::bigint"))
        for requests in [[good, bad, late], [unknown, late], [late, good, unknown]] {
            #expect(throws: DatabaseError.self) { try connection.pipeline(requests) }
            #expect(try connection.pipeline([good, late, good]).map { $0.int64(0, 0) } == [1, 2, 1])
            #expect(!connection.isInTransaction)
        }
    }
}
