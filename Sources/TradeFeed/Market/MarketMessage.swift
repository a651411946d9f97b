import Foundation

/// What everybody may know of a market, as it is published: one JSON object under a subject such as `trade/BTC/USDT`.
public struct MarketMessage: Hashable, Sendable {
    public enum Kind: String, CaseIterable, Sendable {
        case trade, book, ticker
    }

    public let subject: String
    public let json: [UInt8]

    public init(_ kind: Kind, of market: String, _ content: some Encodable) {
        subject = Self.subject(kind, market)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do { json = Array(try encoder.encode(content)) } catch {
            preconditionFailure("texts cannot be written: \(error)")
        }
    }

    init(subject: String, json: [UInt8]) {
        self.subject = subject
        self.json = json
    }

    public static func subject(_ kind: Kind, _ market: String) -> String { "\(kind.rawValue)/\(market)" }

    /// What it is of: nil where the subject says neither.
    public var kind: Kind? { Kind(rawValue: String(subject.prefix { $0 != "/" })) }
    public var market: String { String(subject.drop { $0 != "/" }.dropFirst()) }
}
