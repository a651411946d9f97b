/// An exact decimal as somebody wrote it, without trailing zeros: `coefficient × 10^-scale`.
///
/// Prices, quantities and fees keep this form until the market says at which scale they become integers.
public struct DecimalNumber: Hashable, Sendable {
    public let coefficient: Int128
    public let scale: Int

    /// More digits than any asset (18) and any price of it can need, and few enough to align in 128 bits.
    public static let scaleMax = 36

    public static let zero = DecimalNumber(coefficient: 0, scale: 0)

    /// Returns nil when the value has more than 38 digits or more than `scaleMax` of them behind the point.
    public init?(_ coefficient: Int128, scale: Int) {
        var coefficient = coefficient
        var scale = scale
        while scale > 0, coefficient % 10 == 0 {
            coefficient /= 10
            scale -= 1
        }
        guard scale >= 0, scale <= Self.scaleMax, Amount(units: coefficient) != nil else { return nil }
        self.init(coefficient: coefficient, scale: scale)
    }

    public init(_ amount: Amount, decimals: Int) {
        var coefficient = amount.units
        var scale = decimals
        while scale > 0, coefficient % 10 == 0 {
            coefficient /= 10
            scale -= 1
        }
        self.init(coefficient: coefficient, scale: scale)
    }

    /// Takes what is in shortest form already, as messages carry it; nil where it is not.
    init?(shortest coefficient: Int128, scale: Int) {
        guard (0...Self.scaleMax).contains(scale), scale == 0 || coefficient % 10 != 0,
            Amount(units: coefficient) != nil
        else { return nil }
        self.init(coefficient: coefficient, scale: scale)
    }

    /// The same for what 64 bits hold, as nearly everything.
    @inline(__always) init?(shortest coefficient: Int64, scale: Int) {
        guard scale >= 0, scale <= Self.scaleMax, scale == 0 || coefficient % 10 != 0 else { return nil }
        self.init(coefficient: Int128(coefficient), scale: scale)
    }

    private init(coefficient: Int128, scale: Int) {
        self.coefficient = coefficient
        self.scale = scale
    }

    /// Reads `-?digits[.digits]` and nothing else: no sign `+`, no exponent, no bare point, no spaces.
    public init?(_ text: String) {
        var text = text
        let parsed = text.withUTF8 { DecimalNumber(utf8: $0) }
        guard let parsed else { return nil }
        self = parsed
    }

    public init?(utf8 bytes: UnsafeBufferPointer<UInt8>) {
        var index = 0
        let negative = bytes.first == UInt8(ascii: "-")
        if negative { index = 1 }
        var coefficient: Int128 = 0
        var fractionDigits = 0
        var wholeDigits = 0
        // Zeros behind the last other digit do not count, so "1.000…0" of any length is 1.
        var zerosHeldBack = 0
        var seenPoint = false
        while index < bytes.count {
            let byte = bytes[index]
            index += 1
            if byte == UInt8(ascii: ".") {
                guard !seenPoint, wholeDigits > 0 else { return nil }
                seenPoint = true
                continue
            }
            let digit = byte &- UInt8(ascii: "0")
            guard digit <= 9 else { return nil }
            if seenPoint {
                fractionDigits += 1
                if digit == 0 {
                    zerosHeldBack += 1
                    continue
                }
                while zerosHeldBack > 0 {
                    guard Self.append(0, to: &coefficient) else { return nil }
                    zerosHeldBack -= 1
                }
            } else {
                wholeDigits += 1
            }
            guard Self.append(digit, to: &coefficient) else { return nil }
        }
        guard wholeDigits > 0, !seenPoint || fractionDigits > 0 else { return nil }
        self.init(negative ? -coefficient : coefficient, scale: fractionDigits - zerosHeldBack)
    }

    private static func append(_ digit: UInt8, to coefficient: inout Int128) -> Bool {
        guard coefficient <= Amount.maximum.units / 10 else { return false }
        coefficient = coefficient * 10 + Int128(digit)
        return true
    }

    /// The same value in the smallest units of an asset; nil when it does not fit exactly.
    public func amount(decimals: Int) -> Amount? {
        guard scale <= decimals else { return nil }
        let scaled = coefficient.multipliedReportingOverflow(by: powerOfTen(decimals - scale))
        return scaled.overflow ? nil : Amount(units: scaled.partialValue)
    }

    public var isPositive: Bool { coefficient > 0 }
    public var isNegative: Bool { coefficient < 0 }

    /// The product in units of an asset with so many decimals, rounded down once; nil when it overflows.
    ///
    /// Both factors are at most 38 digits, so the exact product needs up to 256 bits.
    public static func productRoundedDown(_ left: DecimalNumber, _ right: DecimalNumber, decimals: Int) -> Amount? {
        precondition(left.coefficient >= 0 && right.coefficient >= 0, "prices and quantities are positive")
        let excess = left.scale + right.scale - decimals
        if let narrow = Int64(exactly: left.coefficient), let other = Int64(exactly: right.coefficient) {
            let product = Int128(narrow) * Int128(other)
            if excess <= 0 {
                return scaledUp(product, by: -excess)
            }
            return excess > 38 ? .zero : Amount(units: product / powerOfTen(excess))
        }
        let product = left.coefficient.multipliedFullWidth(by: right.coefficient)
        if excess <= 0 {
            guard product.high == 0, let low = Int128(exactly: product.low) else { return nil }
            return scaledUp(low, by: -excess)
        }
        return quotient(high: UInt128(product.high), low: product.low, droppingDigits: excess)
    }

    private static func scaledUp(_ value: Int128, by digits: Int) -> Amount? {
        guard digits <= 38 else { return value == 0 ? .zero : nil }
        let scaled = value.multipliedReportingOverflow(by: powerOfTen(digits))
        return scaled.overflow ? nil : Amount(units: scaled.partialValue)
    }

    /// Divides in two steps where the divisor has more digits than 128 bits hold; dividing down twice rounds the same.
    private static func quotient(high: UInt128, low: UInt128, droppingDigits digits: Int) -> Amount? {
        let divisor = UInt128(powerOfTen(min(digits, 38)))
        let upper = high / divisor
        let (lower, _) = divisor.dividingFullWidth((high % divisor, low))
        if digits > 38 {
            return quotient(high: upper, low: lower, droppingDigits: digits - 38)
        }
        guard upper == 0, let units = Int128(exactly: lower) else { return nil }
        return Amount(units: units)
    }
}

extension DecimalNumber: CustomStringConvertible {
    public var description: String {
        var digits = String(coefficient.magnitude)
        if scale > 0 {
            if digits.count <= scale {
                digits = String(repeating: "0", count: scale - digits.count + 1) + digits
            }
            digits.insert(".", at: digits.index(digits.endIndex, offsetBy: -scale))
        }
        return coefficient < 0 ? "-" + digits : digits
    }
}

private let powersOfTen: [Int128] = {
    var powers: [Int128] = [1]
    for _ in 1...38 { powers.append(powers.last! * 10) }
    return powers
}()

/// 10 to the power of 0…38.
public func powerOfTen(_ exponent: Int) -> Int128 {
    powersOfTen[exponent]
}
