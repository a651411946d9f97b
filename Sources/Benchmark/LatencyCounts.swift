/// Latencies counted in buckets that are at most 1.6 % wide, so that a quantile is exact to that; they can be added up.
public struct LatencyCounts: Sendable, Codable, Equatable {
    private static let bits = 6
    /// By bucket; as long as the highest bucket that was needed.
    private var counts: [Int] = []
    public private(set) var count = 0
    public private(set) var maximumNanoseconds: Int64 = 0

    public init() {}

    mutating func record(nanoseconds: Int64) {
        let bucket = Self.bucket(of: nanoseconds)
        if bucket >= counts.count { counts.append(contentsOf: repeatElement(0, count: bucket + 1 - counts.count)) }
        counts[bucket] += 1
        count += 1
        maximumNanoseconds = max(maximumNanoseconds, nanoseconds)
    }

    /// Makes room for latencies up to some length, so that recording them takes no memory.
    mutating func reserve(nanosecondsMax: Int64) {
        let bucket = Self.bucket(of: nanosecondsMax)
        if bucket >= counts.count { counts.append(contentsOf: repeatElement(0, count: bucket + 1 - counts.count)) }
    }

    mutating func add(_ other: LatencyCounts) {
        if other.counts.count > counts.count {
            counts.append(contentsOf: repeatElement(0, count: other.counts.count - counts.count))
        }
        for (bucket, number) in other.counts.enumerated() { counts[bucket] += number }
        count += other.count
        maximumNanoseconds = max(maximumNanoseconds, other.maximumNanoseconds)
    }

    /// The latency below which so many per mille of all lie, in milliseconds; nil while there are none.
    public func milliseconds(perMille: Int) -> Double? {
        nanoseconds(perMille: perMille).map { Double($0) / 1e6 }
    }

    public func nanoseconds(perMille: Int) -> Int64? {
        guard count > 0 else { return nil }
        let rank = max(1, (count * perMille + 999) / 1000)
        var seen = 0
        for (bucket, number) in counts.enumerated() {
            seen += number
            if seen >= rank { return min(Self.upperBound(of: bucket), maximumNanoseconds) }
        }
        return maximumNanoseconds
    }

    public var maximumMilliseconds: Double? { count > 0 ? Double(maximumNanoseconds) / 1e6 : nil }

    private static func bucket(of nanoseconds: Int64) -> Int {
        let value = UInt64(max(0, nanoseconds))
        guard value >= 1 << bits else { return Int(value) }
        let shift = 63 - value.leadingZeroBitCount - bits
        return (shift + 1) << bits + Int(value >> UInt64(shift)) & (1 << bits - 1)
    }

    private static func upperBound(of bucket: Int) -> Int64 {
        guard bucket >= 1 << bits else { return Int64(bucket) }
        let shift = bucket >> bits - 1
        return (Int64(1 << bits + bucket & (1 << bits - 1)) + 1) << Int64(shift) - 1
    }
}
