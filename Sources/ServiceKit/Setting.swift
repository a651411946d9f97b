/// One setting of the service, declared once: its key in the configuration file, its environment variable, what it
/// takes and what it means.
public struct Setting: Sendable {
    public enum Kind: Sendable {
        /// A whole number.
        case number(ClosedRange<Int>)
        /// One word of several.
        case choice([String])
        /// Any number of these words: a list in the file, separated by commas in the variable.
        case choices([String])
        /// A text that a condition holds for; `expected` says which, after "expected".
        case text(expected: String, isValid: @Sendable (String) -> Bool)
    }

    /// Group and name, with the unit last: `retry.backoff_milliseconds`.
    public let key: String
    public let variable: String
    public let kind: Kind
    /// What holds unless something is set; nil where that is no value of its own, and `defaultRemark` tells.
    public let defaultValue: String?
    /// What holds unless something is set, in words.
    public let defaultRemark: String
    /// What it does, in one sentence.
    public let summary: String
    /// Whether a running worker takes a change over when it is told to read its configuration again.
    public let isReloadable: Bool
    /// Whether passwords may stand in it, which are never shown.
    public let isSecret: Bool

    /// - Parameter variable: its environment variable; `SETTLE_` and the key in capitals unless given.
    public init(
        _ key: String, variable: String? = nil, _ kind: Kind, default defaultValue: String?, remark: String? = nil,
        reloadable: Bool = false, secret: Bool = false, _ summary: String
    ) {
        self.key = key
        self.variable = variable ?? "SETTLE_" + key.uppercased().replacing(".", with: "_")
        self.kind = kind
        self.defaultValue = defaultValue
        defaultRemark = remark ?? defaultValue ?? "none"
        isReloadable = reloadable
        isSecret = secret
        self.summary = summary
    }

    /// The part of the key before the point.
    public var group: String { String(key.prefix { $0 != "." }) }
    /// The part of the key after the point.
    public var name: String { String(key.drop { $0 != "." }.dropFirst()) }

    /// What a value must be, as errors and documents say it: `a whole number from 1 to 100`.
    public var expectation: String {
        switch kind {
        case .number(let range): "a whole number from \(range.lowerBound) to \(range.upperBound)"
        case .choice(let words): words.dropLast().joined(separator: ", ") + " or \(words.last ?? "")"
        case .choices(let words): "any of \(words.joined(separator: ", "))"
        case .text(let expected, _): expected
        }
    }

    public func accepts(_ text: String) -> Bool {
        switch kind {
        case .number(let range): Int(text).map(range.contains) ?? false
        case .choice(let words): words.contains(text)
        case .choices(let words): Self.parts(text).allSatisfy(words.contains)
        case .text(_, let isValid): isValid(text)
        }
    }

    /// The elements of a list as a variable writes it.
    public static func parts(_ text: String) -> [String] {
        text.split { $0 == "," || $0 == " " }.map(String.init)
    }
}
