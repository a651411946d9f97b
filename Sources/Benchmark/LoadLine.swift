/// Writes trades of the load as an engine would send them: wire version 1, one JSON object each.
struct LoadLine: Sendable {
    static let base = "BTC"
    static let quote = "USDT"
    static let market = "BTC/USDT"
    static let baseDecimals = 8
    static let quoteDecimals = 6
    /// Accounts are numbers of seven digits and more.
    private static let firstAccount = 1_000_000

    /// What the ids of this run begin with, so that those of two runs differ.
    let run: String
    private let start: [UInt8]

    init(run: String) {
        self.run = run
        start = Array("{\"id\":\"\(run)-".utf8)
    }

    static func accountID(_ place: Int) -> String { String(firstAccount + place) }

    func id(_ number: Int) -> String { "\(run)-\(number)" }

    /// The number in an id that this made; nil for any other.
    static func number(ofID id: String) -> Int? {
        id.utf8.lastIndex(of: UInt8(ascii: "-")).flatMap { Int(id[id.index(after: $0)...]) }
    }

    func bytes(of trade: LoadTrade) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(320)
        bytes += start
        Self.append(trade.number, to: &bytes)
        Self.append("\",\"market\":\"BTC/USDT\",\"price\":\"", to: &bytes)
        Self.append(trade.priceCents, decimals: 2, to: &bytes)
        Self.append("\",\"quantity\":\"", to: &bytes)
        Self.append(trade.quantity, decimals: 8, to: &bytes)
        Self.append("\",\"buyer_id\":\"", to: &bytes)
        Self.append(Self.firstAccount + trade.buyer, to: &bytes)
        Self.append("\",\"seller_id\":\"", to: &bytes)
        Self.append(Self.firstAccount + trade.seller, to: &bytes)
        Self.append(trade.buyerTakes ? "\",\"taker\":\"buyer\"" : "\",\"taker\":\"seller\"", to: &bytes)
        Self.append(",\"buyer_fee\":\"", to: &bytes)
        Self.append(trade.buyerFee, decimals: 8, to: &bytes)
        Self.append("\",\"seller_fee\":\"", to: &bytes)
        Self.append(trade.sellerFee, decimals: 6, to: &bytes)
        Self.append("\",\"executed_at\":\"2026-01-02T03:04:05.", to: &bytes)
        Self.append(100_000 + trade.number % 900_000, to: &bytes)
        Self.append("Z\"}", to: &bytes)
        return bytes
    }

    private static func append(_ text: StaticString, to bytes: inout [UInt8]) {
        bytes.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    private static func append(_ number: Int, to bytes: inout [UInt8]) {
        append(number, decimals: 0, to: &bytes)
    }

    /// The digits of a number that is not negative, with a point before the last so many.
    private static func append(_ number: Int, decimals: Int, to bytes: inout [UInt8]) {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 24) { digits in
            var rest = UInt(number)
            var start = digits.count
            var written = 0
            repeat {
                if written == decimals, decimals > 0 {
                    start -= 1
                    digits[start] = UInt8(ascii: ".")
                }
                start -= 1
                digits[start] = UInt8(ascii: "0") + UInt8(rest % 10)
                rest /= 10
                written += 1
            } while rest > 0 || written <= decimals
            bytes.append(contentsOf: UnsafeMutableBufferPointer(rebasing: digits[start...]))
        }
    }
}
