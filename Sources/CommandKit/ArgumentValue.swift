/// A type whose values can be typed on the command line.
public protocol ArgumentValue: Sendable {
    /// Throws `InvalidValue` with what was expected.
    init(argument: String) throws
    /// The value as one would type it; help shows defaults this way.
    var argumentText: String { get }
    /// What help calls the value where the declaration does not name it.
    static var valueName: String { get }
    /// Every text that is allowed, for types that have few values; completed by the shell.
    static var allowedValues: [String] { get }
}

extension ArgumentValue {
    public var argumentText: String { String(describing: self) }
    public static var valueName: String { "VALUE" }
    public static var allowedValues: [String] { [] }
}

/// An enum of strings needs to declare nothing.
extension ArgumentValue where Self: CaseIterable & RawRepresentable, RawValue == String {
    public init(argument: String) throws {
        guard let value = Self(rawValue: argument) else {
            throw InvalidValue(
                "expected \(spokenList(Self.allowedValues))",
                suggestion: nearestName(to: argument, among: Self.allowedValues))
        }
        self = value
    }

    public var argumentText: String { rawValue }
    public static var allowedValues: [String] { allCases.map(\.rawValue) }
}

extension String: ArgumentValue {
    public init(argument: String) { self = argument }
}

extension ArgumentValue where Self: FixedWidthInteger {
    public init(argument: String) throws {
        guard let value = Self(argument) else {
            throw InvalidValue("expected a whole number\(Self.isSigned ? "" : " that is not negative")")
        }
        self = value
    }

    public static var valueName: String { "N" }
}

extension Int: ArgumentValue {}
extension Int64: ArgumentValue {}
extension UInt16: ArgumentValue {}
extension UInt64: ArgumentValue {}

/// How many of something: `250`, `10_000`, `10k`, `2M`.
public struct Count: ArgumentValue, Equatable, ExpressibleByIntegerLiteral {
    public var value: Int

    public init(_ value: Int) { self.value = value }
    public init(integerLiteral value: Int) { self.value = value }

    public init(argument: String) throws {
        let expected = InvalidValue("expected a count such as 250, 10_000, 10k or 2M")
        var digits = argument[...]
        let unit = digits.last == "k" ? 1_000 : digits.last == "M" ? 1_000_000 : 1
        if unit > 1 { digits.removeLast() }
        guard digits.first?.isASCIIDigit == true, digits.last?.isASCIIDigit == true,
            let number = Int(digits.filter { $0 != "_" })
        else { throw expected }
        let (value, overflow) = number.multipliedReportingOverflow(by: unit)
        guard !overflow else { throw expected }
        self.value = value
    }

    public var argumentText: String { String(value) }
    public static var valueName: String { "N" }

    /// Refuses a count outside of what a flag takes.
    public func check(_ flag: String, _ range: ClosedRange<Int>) throws {
        guard range.contains(value) else {
            throw UsageError(
                "'\(flag)' is a whole number from \(range.lowerBound) to \(range.upperBound), not \(value)")
        }
    }
}

/// So many a second: `500/s`, or `500`; never zero.
public struct Rate: ArgumentValue, Equatable {
    public var perSecond: Int

    public init(perSecond: Int) { self.perSecond = perSecond }

    public init(argument: String) throws {
        let number = argument.hasSuffix("/s") ? argument.dropLast(2) : argument[...]
        guard let count = try? Count(argument: String(number)), count.value > 0 else {
            throw InvalidValue("expected a rate such as 500/s")
        }
        perSecond = count.value
    }

    public var argumentText: String { "\(perSecond)/s" }
    public static var valueName: String { "N/s" }
}

/// A length of time: `250ms`, `30s`, `5m`, `12h`, `90d`, `1h30m`.
extension Duration: ArgumentValue {
    private static let units: [(name: String, milliseconds: Int64)] = [
        ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1),
    ]

    public init(argument: String) throws {
        let expected = InvalidValue("expected a duration such as 250ms, 30s, 5m or 90d")
        var rest = argument[...]
        var total: Int64 = 0
        repeat {
            let digits = rest.prefix(while: \.isASCIIDigit)
            rest = rest.dropFirst(digits.count)
            let name = rest.prefix { !$0.isASCIIDigit }
            rest = rest.dropFirst(name.count)
            guard let number = Int64(digits), let unit = Self.units.first(where: { $0.name == name }) else {
                throw expected
            }
            let (part, tooLong) = number.multipliedReportingOverflow(by: unit.milliseconds)
            let (sum, overflow) = total.addingReportingOverflow(part)
            guard !tooLong, !overflow else { throw expected }
            total = sum
        } while !rest.isEmpty
        self = .milliseconds(total)
    }

    public var argumentText: String {
        var rest = components.seconds * 1_000 + components.attoseconds / 1_000_000_000_000_000
        var text = ""
        for unit in Self.units where rest >= unit.milliseconds {
            text += "\(rest / unit.milliseconds)\(unit.name)"
            rest %= unit.milliseconds
        }
        return text.isEmpty ? "0s" : text
    }

    public static var valueName: String { "DURATION" }
}

extension Character {
    var isASCIIDigit: Bool { "0"..."9" ~= self }
}
