import Glibc

/// Draws an index in proportion to its weight, in constant time (Walker's alias method as Vose made it).
struct AliasTable: Sendable {
    /// An index stands for itself below its threshold, and above it for its alias.
    private var thresholds: [UInt32]
    private var aliases: [UInt32]

    init(weights: [Double]) {
        precondition(!weights.isEmpty && weights.count <= Int(UInt32.max))
        let total = weights.reduce(0, +)
        var scaled = weights.map { $0 / total * Double(weights.count) }
        thresholds = [UInt32](repeating: .max, count: weights.count)
        aliases = Array(0..<UInt32(weights.count))
        var small = scaled.indices.filter { scaled[$0] < 1 }
        var large = scaled.indices.filter { scaled[$0] >= 1 }
        while let less = small.popLast(), let more = large.last {
            thresholds[less] = UInt32(scaled[less] * Double(UInt32.max))
            aliases[less] = UInt32(more)
            scaled[more] -= 1 - scaled[less]
            if scaled[more] < 1 { small.append(large.removeLast()) }
        }
    }

    /// The weights of Zipf's law: the k-th of `count` has 1 / k^exponent.
    static func zipf(count: Int, exponent: Double) -> AliasTable {
        AliasTable(weights: (1...count).map { pow(Double($0), -exponent) })
    }

    func draw(using generator: inout some RandomNumberGenerator) -> Int {
        let bits = generator.next()
        let index = Int(((bits >> 32) * UInt64(thresholds.count)) >> 32)
        return UInt32(truncatingIfNeeded: bits) <= thresholds[index] ? index : Int(aliases[index])
    }
}
