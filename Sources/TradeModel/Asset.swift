/// The number under which an asset is stored.
public typealias AssetNumber = Int32

/// Something that can be owned: a currency, a coin, a point.
public struct Asset: Hashable, Sendable {
    public let number: AssetNumber
    public let symbol: AssetSymbol
    public let decimals: Int

    public static let decimalsMax = 18

    public init(number: AssetNumber, symbol: AssetSymbol, decimals: Int) {
        self.number = number
        self.symbol = symbol
        self.decimals = decimals
    }

    /// An amount with its unit, for people: `250.00 USDT`.
    public func text(_ amount: Amount) -> String {
        "\(amount.text(decimals: decimals)) \(symbol)"
    }
}

/// The short name of an asset: 1 to 16 ASCII letters, digits or points; case matters.
public struct AssetSymbol: Hashable, Sendable, Comparable, CustomStringConvertible {
    public let text: String

    public init?(_ text: some StringProtocol) {
        guard (1...16).contains(text.utf8.count), text.utf8.allSatisfy(isSymbolCharacter) else { return nil }
        self.text = String(text)
    }

    public var description: String { text }

    public static func < (left: AssetSymbol, right: AssetSymbol) -> Bool { left.text < right.text }
}

/// A pair of assets. `BTC/USDT` is how it is written; `BTC-USDT` and `BTC_USDT` are read as the same.
public struct MarketSymbol: Hashable, Sendable, Comparable, CustomStringConvertible {
    public let text: String

    public init(base: AssetSymbol, quote: AssetSymbol) {
        text = "\(base)/\(quote)"
    }

    /// Returns nil unless the text is two different symbols around one `/`, `-` or `_`.
    public init?(_ text: some StringProtocol) {
        var text = String(text)
        guard let symbol = text.withUTF8({ MarketSymbol(utf8: $0) }) else { return nil }
        self = symbol
    }

    public init?(utf8 bytes: UnsafeBufferPointer<UInt8>) {
        guard let separator = bytes.firstIndex(where: { !isSymbolCharacter($0) }) else { return nil }
        let base = bytes[..<separator]
        let quote = bytes[(separator + 1)...]
        switch bytes[separator] {
        case UInt8(ascii: "/"), UInt8(ascii: "-"), UInt8(ascii: "_"): break
        default: return nil
        }
        guard (1...16).contains(base.count), (1...16).contains(quote.count), quote.allSatisfy(isSymbolCharacter),
            !base.elementsEqual(quote)
        else { return nil }
        text = String(unsafeUninitializedCapacity: bytes.count) { buffer in
            _ = buffer.initialize(from: bytes)
            buffer[separator] = UInt8(ascii: "/")
            return bytes.count
        }
    }

    public var base: AssetSymbol { AssetSymbol(text.prefix { $0 != "/" })! }
    public var quote: AssetSymbol { AssetSymbol(text.drop { $0 != "/" }.dropFirst())! }

    public var description: String { text }

    public static func < (left: MarketSymbol, right: MarketSymbol) -> Bool { left.text < right.text }
}

private func isSymbolCharacter(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."):
        true
    default:
        false
    }
}
