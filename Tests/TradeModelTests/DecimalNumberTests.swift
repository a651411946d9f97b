import Testing

@testable import TradeModel

@Suite struct DecimalNumberTests {
    @Test(arguments: [
        ("0", 0, 0), ("1", 1, 0), ("-1", -1, 0), ("50000.25", 5_000_025, 2), ("0.01000000", 1, 2), ("-0.5", -5, 1),
        ("007", 7, 0), ("-0", 0, 0), ("100", 100, 0), ("10.10", 101, 1), ("0.000", 0, 0),
    ])
    func `a decimal is read exactly, without trailing zeros`(text: String, coefficient: Int, scale: Int) {
        let number = DecimalNumber(text)
        #expect(number?.coefficient == Int128(coefficient))
        #expect(number?.scale == scale)
    }

    @Test(arguments: [
        "", "-", ".", "1.", ".5", "+1", "1e5", " 1", "1 ", "1,5", "12abc", "1.2.3", "NaN", "Infinity", "--1", "0x10",
        "٣", "1\0", "100000000000000000000000000000000000000",
        "0.0000000000000000000000000000000000001",
    ])
    func `what is not a decimal of at most 38 digits is refused`(text: String) {
        #expect(DecimalNumber(text) == nil)
    }

    @Test func `zeros behind the point do not count as digits`() {
        #expect(DecimalNumber("1." + String(repeating: "0", count: 500)) == DecimalNumber("1"))
        #expect(DecimalNumber("99999999999999999999999999999999999999")?.coefficient == Amount.maximum.units)
    }

    @Test func `a value that does not fit the asset's decimals is nil, never rounded`() {
        #expect(DecimalNumber("0.123456789")!.amount(decimals: 8) == nil)
        #expect(DecimalNumber("0.12345678")!.amount(decimals: 8) == 12_345_678)
        #expect(DecimalNumber("1000000000")!.amount(decimals: 18)?.units == powerOfTen(27))
        #expect(DecimalNumber("99999999999999999999999999999999999999")!.amount(decimals: 1) == nil)
    }

    @Test func `price times quantity is exact, or rounded down once`() {
        func quote(_ price: String, _ quantity: String, _ decimals: Int) -> Amount? {
            DecimalNumber.productRoundedDown(DecimalNumber(price)!, DecimalNumber(quantity)!, decimals: decimals)
        }
        #expect(quote("50000.25", "0.01", 2) == 50_000)
        #expect(quote("50000.25", "0.01", 4) == 5_000_025)
        #expect(quote("0.001", "0.001", 2) == 0)
        #expect(quote("3", "7", 18)?.units == 21 * powerOfTen(18))
        #expect(quote("99999999999999999999999999999999999999", "99999999999999999999999999999999999999", 0) == nil)
        #expect(
            quote("99999999999999999999", "0.00000000000000000001", 18)?.units == powerOfTen(18) - 1)
        #expect(
            quote("99999999999999999999.999999999999999999", "99999999999999999.999999999999999999", 0)?.units
                == Int128("9999999999999999999999999999999999899")!)
        #expect(
            quote("0.000000000000000000000000000000000001", "99999999999999.999999999999999999999999", 18) == 0)
    }

    @Test func `the quote agrees with schoolbook multiplication for random operands`() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<20_000 {
            let left = DecimalNumber(
                Int128.random(in: 0...powerOfTen(Int.random(in: 0...37, using: &random)), using: &random),
                scale: Int.random(in: 0...18, using: &random))!
            let right = DecimalNumber(
                Int128.random(in: 0...powerOfTen(Int.random(in: 0...37, using: &random)), using: &random),
                scale: Int.random(in: 0...18, using: &random))!
            let decimals = Int.random(in: 0...18, using: &random)
            let expected = schoolbook(left, right, decimals: decimals)
            #expect(DecimalNumber.productRoundedDown(left, right, decimals: decimals) == expected, "\(left) × \(right)")
        }
    }

    /// Multiplies digit by digit and cuts the text where the asset's decimals end.
    private func schoolbook(_ left: DecimalNumber, _ right: DecimalNumber, decimals: Int) -> Amount? {
        let leftDigits = String(left.coefficient).reversed().map { $0.wholeNumberValue! }
        let rightDigits = String(right.coefficient).reversed().map { $0.wholeNumberValue! }
        var product = [Int](repeating: 0, count: leftDigits.count + rightDigits.count)
        for (i, a) in leftDigits.enumerated() {
            for (j, b) in rightDigits.enumerated() { product[i + j] += a * b }
        }
        for index in product.indices.dropLast() {
            product[index + 1] += product[index] / 10
            product[index] %= 10
        }
        let excess = left.scale + right.scale - decimals
        if excess >= 0 {
            product.removeFirst(min(excess, product.count))
        } else {
            product.insert(contentsOf: [Int](repeating: 0, count: -excess), at: 0)
        }
        let text = product.reversed().drop { $0 == 0 }.map(String.init).joined()
        guard !text.isEmpty else { return .zero }
        return text.count > 38 ? nil : Amount(units: Int128(text)!)
    }

    @Test func `an amount prints with all its decimals`() {
        #expect(Amount(integerLiteral: 1).text(decimals: 8) == "0.00000001")
        #expect(Amount(integerLiteral: -150).text(decimals: 2) == "-1.50")
        #expect(Amount(integerLiteral: 7).text(decimals: 0) == "7")
        #expect(DecimalNumber("-0.50")!.description == "-0.5")
    }

    @Test func `amounts overflow with an error, not by wrapping`() {
        #expect(throws: AmountOverflow.self) { try Amount.maximum.adding(1) }
        #expect(throws: AmountOverflow.self) { try Amount.maximum.negated.subtracting(1) }
        #expect(Amount(units: powerOfTen(38)) == nil)
    }
}
