import TradeModel

/// Why a consumer cannot follow a stream any further, in one line. None of it passes by waiting.
public enum FeedFailure: Error, Hashable, Sendable, CustomStringConvertible {
    case notKept(first: Int64, oldest: Int64)
    case ahead(first: Int64, newest: Int64)
    /// Up to this sequence, the consumer has followed another stream than the publisher's.
    case hashDiffers(sequence: Int64, here: UInt64, there: UInt64)
    /// What was received again and again does not fit the hash that came with it.
    case damaged(first: Int64, last: Int64)
    /// What was received as it was sent is no record that this program knows.
    case unreadable(sequence: Int64, reason: String)
    case otherStream(String)
    case replaced(String)
    case otherVersion(String)

    public var description: String {
        switch self {
        case .notKept(let first, let oldest):
            "the feed no longer keeps record \(first); the oldest that it has, is \(oldest)"
        case .ahead(let first, let newest):
            "record \(first) is wanted, but the feed's newest is \(newest): it has lost records, or is another one"
        case .hashDiffers(let sequence, let here, let there):
            "the hash at record \(sequence) is \(here.hexadecimal) here and \(there.hexadecimal) in the feed, "
                + "so that they differ there or before"
        case .damaged(let first, let last):
            "records \(first) to \(last) do not fit the hash that came with them"
        case .unreadable(let sequence, let reason): "record \(sequence) of the feed \(reason)"
        case .otherStream(let text), .replaced(let text), .otherVersion(let text): text
        }
    }
}

extension UInt64 {
    /// All sixteen digits, as hashes are written.
    public var hexadecimal: String {
        let digits = String(self, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
