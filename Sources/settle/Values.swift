import CommandKit
import Repository
import TradeModel

// How the words of the domain are written on the command line and in JSON.

extension Identifier: ArgumentValue {
    public init(argument: String) throws {
        guard let id = Identifier(argument) else {
            throw InvalidValue("an id has 1 to 64 bytes and no control characters")
        }
        self = id
    }

    public var argumentText: String { text }
    public static var valueName: String { "ID" }
}

extension AssetSymbol: ArgumentValue {
    public init(argument: String) throws {
        guard let symbol = AssetSymbol(argument) else {
            throw InvalidValue("an asset is 1 to 16 letters, digits or points, such as BTC")
        }
        self = symbol
    }

    public var argumentText: String { text }
    public static var valueName: String { "ASSET" }
}

extension MarketSymbol: ArgumentValue {
    public init(argument: String) throws {
        guard let symbol = MarketSymbol(argument) else {
            throw InvalidValue("a market is two different assets, such as BTC/USDT")
        }
        self = symbol
    }

    public var argumentText: String { text }
    public static var valueName: String { "MARKET" }
}

extension DecimalNumber: ArgumentValue {
    public init(argument: String) throws {
        guard let number = DecimalNumber(argument) else {
            let isNumber = argument.wholeMatch(of: /-?\d+(\.\d+)?/.asciiOnlyDigits()) != nil
            throw InvalidValue(
                isNumber
                    ? "an amount has at most 38 digits, \(DecimalNumber.scaleMax) of them behind the point"
                    : "an amount is digits with at most one point, such as 250.00")
        }
        self = number
    }

    public var argumentText: String { description }
    public static var valueName: String { "AMOUNT" }
}

extension Timestamp: ArgumentValue {
    public init(argument: String) throws {
        if let time = Timestamp(argument) ?? Timestamp(argument + "T00:00:00Z") {
            self = time
        } else if argument == "now" {
            self = .now
        } else if let ago = try? Duration(
            argument: argument.hasSuffix(" ago") ? String(argument.dropLast(4)) : argument)
        {
            self.init(ago: ago)
        } else {
            throw InvalidValue("a time is like 2026-01-02T03:04:05Z, 2026-01-02, 30m for so long ago, or now")
        }
    }

    public var argumentText: String { description }
    public static var valueName: String { "TIME" }

    /// So long before now.
    init(ago duration: Duration) {
        let (seconds, attoseconds) = duration.components
        let microseconds = Int128(seconds) * 1_000_000 + Int128(attoseconds / 1_000_000_000_000)
        // Nothing here is older than 1970.
        self.init(microseconds: Int64(max(0, Int128(Timestamp.now.microseconds) - microseconds)))
    }
}

/// A period does not end before it begins.
func checkPeriod(since: Timestamp?, until: Timestamp?) throws {
    if let since, let until, until < since { throw UsageError("'--until' is before '--since'") }
}

extension FeeRule: ArgumentValue {}
extension AccountStatus: ArgumentValue {}
extension FailureClass: ArgumentValue {}
extension LetterStatus: ArgumentValue {}

extension TradeStatus: ArgumentValue {
    public init(argument: String) throws {
        guard let status = TradeStatus(rawValue: argument.uppercased()) else {
            throw InvalidValue(
                "expected \(spokenList(Self.allowedValues))",
                suggestion: nearestName(to: argument, among: Self.allowedValues))
        }
        self = status
    }

    public var argumentText: String { rawValue }
    public static var allowedValues: [String] { allCases.map(\.rawValue) }
}

/// A trade named by its id, or by market and id: `9001`, `BTC/USDT:9001`.
struct TradeName: ArgumentValue {
    let market: MarketSymbol?
    let id: Identifier

    init(argument: String) throws {
        if let colon = argument.firstIndex(of: ":"), let market = MarketSymbol(argument[..<colon]) {
            self.market = market
            id = try Identifier(argument: String(argument[argument.index(after: colon)...]))
        } else {
            market = nil
            id = try Identifier(argument: argument)
        }
    }

    /// The one that is meant, of all that it may name.
    func only(_ keys: [TradeKey]) throws -> TradeKey {
        guard keys.count <= 1 else {
            let names = keys.map(\.description.printable).joined(separator: ", ")
            throw CommandFailure("several trades have this id: \(names). Name one with its market.", exit: .usage)
        }
        guard let key = keys.first else { throw notFound }
        return key
    }

    var notFound: CommandFailure {
        .notFound("trade", argumentText, see: "settle trade list")
    }

    var argumentText: String { (market.map { "\($0):" } ?? "") + id.text }
    static var valueName: String { "TRADE" }
    static var allowedValues: [String] { [] }
}

extension JSONValue {
    static func id(_ id: Identifier?) -> JSONValue { .string(id?.text) }
    /// Why an operator did something; null where none was given.
    static func reason(_ reason: String?) -> JSONValue { .string(reason.flatMap { $0.isEmpty ? nil : $0 }) }
    static func time(_ time: Timestamp?) -> JSONValue { .string(time?.description) }
    /// A number of any kind; null where there is none.
    static func count(_ count: (some BinaryInteger)?) -> JSONValue {
        guard let count else { return .null }
        return .integer(Int(clamping: count))
    }
}

extension RecordedTrade {
    var json: JSONValue {
        [
            "id": .id(key.id), "market": .string(key.market.text), "status": .string(status.rawValue),
            "price": .string(trade?.price.description), "quantity": .string(trade?.quantity.description),
            "buyer_id": .id(trade?.buyer), "seller_id": .id(trade?.seller),
            "buy_order_id": .id(trade?.buyOrder), "sell_order_id": .id(trade?.sellOrder),
            "taker": .string(trade?.taker?.rawValue),
            "buyer_fee": .string(trade?.buyerFee.description), "seller_fee": .string(trade?.sellerFee.description),
            "executed_at": .time(trade?.executedAt), "stream": .id(trade?.stream),
            "seq": .count(trade?.sequence),
            "received_seq": .count(receivedSequence), "received_at": .time(receivedAt),
            "settled_at": .time(settledAt), "attempts": .integer(attempts),
            "batch": .count(batch),
        ]
    }
}

extension OrderSide: ArgumentValue {
    public init(argument: String) throws {
        guard let side = Self.allCases.first(where: { $0.name == argument }) else {
            throw InvalidValue("expected buy or sell")
        }
        self = side
    }

    public var argumentText: String { name }
    public static var valueName: String { "SIDE" }
}

extension TimeInForce: ArgumentValue {
    public init(argument: String) throws {
        guard let rule = Self.allCases.first(where: { $0.name == argument.replacing("-", with: "_") }) else {
            throw InvalidValue("expected gtc, ioc, fok or post-only")
        }
        self = rule
    }

    public var argumentText: String { name.replacing("_", with: "-") }
    public static var valueName: String { "RULE" }
}
