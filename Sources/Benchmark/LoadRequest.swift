/// One measurement of settling: what load, how much of it, at which pace.
public struct LoadRequest: Sendable, Codable {
    public enum Amount: Sendable, Codable, Hashable {
        case trades(Int)
        case milliseconds(Int)
    }

    var shape: LoadShape
    var seed: UInt64
    /// What the ids of the trades begin with.
    var run: String
    var amount: Amount
    /// How much goes before what is counted, in the unit of the amount.
    var warmUp: Int
    /// nil: as fast as it goes.
    var perSecond: Int?

    /// How many trades that are in all; nil where the amount is a time.
    var tradesInAll: Int? {
        guard case .trades(let count) = amount else { return nil }
        return count + warmUp
    }
}

/// What came of it.
public struct LoadFigures: Sendable, Codable {
    /// How long the counted part took, to the commit of its last trade.
    var seconds: Double
    var settled: Int
    var rejected: Int
    var duplicates: Int
    /// From submit to commit, or with a given rate, from when a trade was due to commit.
    var latencies: LatencyCounts
    /// The following also count the warm-up.
    var settledInAll: Int
    var commitsInAll: Int
    var retries: Int
    var clientSeconds: Double
    var peakBytes: Int

    var perSecond: Double { Double(settled) / seconds }
    var processedPerSecond: Double { Double(settled + rejected + duplicates) / seconds }

    /// Of several processes that did the same at once.
    static func sum(_ parts: [LoadFigures]) -> LoadFigures {
        var sum = parts[0]
        for part in parts.dropFirst() {
            // The rates add up, whoever took a moment longer.
            let seconds = max(sum.seconds, part.seconds)
            sum.seconds = seconds
            sum.settled += part.settled
            sum.rejected += part.rejected
            sum.duplicates += part.duplicates
            sum.latencies.add(part.latencies)
            sum.settledInAll += part.settledInAll
            sum.commitsInAll += part.commitsInAll
            sum.retries += part.retries
            sum.clientSeconds += part.clientSeconds
            sum.peakBytes = max(sum.peakBytes, part.peakBytes)
        }
        return sum
    }
}

/// What settles a load and measures itself: this process, or another one.
protocol Loader: Sendable {
    /// - Parameter progress: told now and then how many trades were settled so far.
    func measure(_ request: LoadRequest, progress: @escaping @Sendable (Int) -> Void) async throws -> LoadFigures
    /// One trade at a time on an idle system.
    func measureAlone(_ count: Int, _ request: LoadRequest) async throws -> LatencyCounts
    func stop() async
}
