/// A sum of money in the smallest unit of its asset.
///
/// The bound is what `numeric(38,0)` holds, so an amount that exists can be stored. Arithmetic that
/// would leave it throws; nothing wraps, saturates or traps.
public struct Amount: Hashable, Sendable {
    public let units: Int128

    public static let zero = Amount(unchecked: 0)
    public static let maximum = Amount(unchecked: 99_999_999_999_999_999_999_999_999_999_999_999_999)

    private init(unchecked units: Int128) {
        self.units = units
    }

    /// Returns nil when the magnitude has more than 38 decimal digits.
    public init?(units: Int128) {
        guard units.magnitude <= Self.maximum.units.magnitude else { return nil }
        self.units = units
    }

    public func adding(_ other: Amount) throws(AmountOverflow) -> Amount {
        try Amount(checked: units.addingReportingOverflow(other.units))
    }

    public func subtracting(_ other: Amount) throws(AmountOverflow) -> Amount {
        try Amount(checked: units.subtractingReportingOverflow(other.units))
    }

    /// What is left without a part that is no larger than the whole.
    public func reduced(by part: Amount) -> Amount {
        precondition(part >= .zero && part <= self, "a part is no larger than the whole")
        return Amount(unchecked: units - part.units)
    }

    public var negated: Amount { Amount(unchecked: -units) }

    public var isNegative: Bool { units < 0 }

    private init(checked result: (partialValue: Int128, overflow: Bool)) throws(AmountOverflow) {
        guard !result.overflow, let amount = Amount(units: result.partialValue) else { throw AmountOverflow() }
        self = amount
    }
}

extension Amount: Comparable {
    public static func < (left: Amount, right: Amount) -> Bool { left.units < right.units }
}

extension Amount: ExpressibleByIntegerLiteral {
    public init(integerLiteral value: Int64) {
        self.init(unchecked: Int128(value))
    }
}

extension Amount: CustomStringConvertible {
    public var description: String { String(units) }

    /// The amount in whole units of an asset, all its decimals written: `1.50000000`.
    public func text(decimals: Int) -> String {
        var digits = String(units.magnitude)
        if decimals > 0 {
            if digits.count <= decimals {
                digits = String(repeating: "0", count: decimals - digits.count + 1) + digits
            }
            digits.insert(".", at: digits.index(digits.endIndex, offsetBy: -decimals))
        }
        return units < 0 ? "-" + digits : digits
    }
}

/// A result has more than 38 digits.
public struct AmountOverflow: Error, Equatable {
    public init() {}
}
