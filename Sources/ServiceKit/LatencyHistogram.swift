/// Counts durations in buckets that grow by an eighth, so that any quantile is known to within a few per cent in
/// bounded memory, however many are counted.
public struct LatencyHistogram: Sendable {
    private var counts = [Int](repeating: 0, count: 64 * 8)
    public private(set) var count = 0
    public private(set) var maximum = Duration.zero

    public init() {}

    public mutating func record(_ duration: Duration) {
        counts[Self.bucket(of: duration)] += 1
        count += 1
        maximum = max(maximum, duration)
    }

    /// The duration below which so many per mille of all lie; nil while there are none.
    public func quantile(perMille: Int) -> Duration? {
        guard count > 0 else { return nil }
        let rank = (count * perMille + 999) / 1000
        var seen = 0
        for (bucket, number) in counts.enumerated() {
            seen += number
            if seen >= rank { return min(Self.upperBound(of: bucket), maximum) }
        }
        return maximum
    }

    private static func bucket(of duration: Duration) -> Int {
        let (seconds, attoseconds) = duration.components
        let nanoseconds = UInt64(max(1, seconds * 1_000_000_000 + attoseconds / 1_000_000_000))
        let exponent = 63 - nanoseconds.leadingZeroBitCount
        guard exponent >= 3 else { return Int(nanoseconds) }
        return exponent * 8 + Int(nanoseconds >> UInt64(exponent - 3)) & 7
    }

    private static func upperBound(of bucket: Int) -> Duration {
        guard bucket >= 24 else { return .nanoseconds(bucket) }
        let exponent = bucket / 8
        return .nanoseconds(Int64((UInt64(8 + bucket % 8 + 1) << UInt64(exponent - 3)) - 1))
    }
}
