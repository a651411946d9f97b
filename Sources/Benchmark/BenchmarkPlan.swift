import ServiceKit

/// What a benchmark is to measure.
public struct BenchmarkPlan: Sendable {
    public enum Pace: Sendable, Hashable {
        case perSecond(Int)
        /// Of what the closed loop of the same run reached.
        case percent(Int)
    }

    public var skews: [Skew] = [.uniform]
    public var accountCount = 100_000
    public var unfundableBasisPoints = 0
    public var duplicateBasisPoints = 0
    public var amount = LoadRequest.Amount.milliseconds(5_000)
    public var warmUpMilliseconds = 2_000
    /// Besides what is reached without a pace, or, where all are numbers, instead of it.
    public var paces: [Pace] = []
    public var roundCount = 3
    public var processCount = 1
    /// How many trades the tables are to hold before the rounds; several are stages, each with rounds of its own.
    public var prefillCounts = [0]
    public var opponents: [OpponentKind] = []
    public var pgbenchScale = 50
    public var seed: UInt64 = 1
    public var limits = Limits()
    public var version = ""

    public init() {}

    func shape(_ skew: Skew) -> LoadShape {
        LoadShape(
            accountCount: accountCount, skew: skew, unfundableBasisPoints: unfundableBasisPoints,
            duplicateBasisPoints: duplicateBasisPoints)
    }

    /// What the rounds of all stages measure of settling, each stage in this order.
    var cases: [BenchmarkReport.Case] {
        prefillCounts.flatMap { prefillCount in skews.flatMap { cases($0, prefillCount) } }
    }

    private func cases(_ skew: Skew, _ prefillCount: Int) -> [BenchmarkReport.Case] {
        let own = BenchmarkReport.Case(
            shape: shape(skew), pace: nil, processCount: processCount, prefillCount: prefillCount)
        var kinds = [own]
        if !own.shape.isClean {
            var clean = own
            clean.shape = own.shape.clean
            kinds.append(clean)
        }
        if processCount > 1 {
            var single = own
            single.processCount = 1
            kinds.append(single)
        }
        func paced(_ kind: BenchmarkReport.Case) -> [BenchmarkReport.Case] {
            paces.map { pace in
                var kind = kind
                kind.pace = pace
                return kind
            }
        }
        // A share of what is reached wants that measured before.
        let isAllGiven = paces.allSatisfy { if case .perSecond = $0 { true } else { false } }
        return !paces.isEmpty && isAllGiven ? kinds.flatMap(paced) : kinds + paced(own)
    }

    /// So many trades make it likely that a process has met each account: each has two, so that an account is met four
    /// times on average. More accounts than a process remembers are no use.
    public var warmingCount: Int { min(accountCount, limits.cachedBalancesMax / 2) * 2 }

    /// How much of an amount goes before what is counted.
    func warmUp(of amount: LoadRequest.Amount) -> Int {
        switch amount {
        case .trades(let count): min(max(1, count / 5), 50_000)
        case .milliseconds: warmUpMilliseconds
        }
    }

    /// An opponent works as long as we did, within these bounds.
    static let opponentSeconds = 0.3...10.0
    /// So many commits of one row, and trades one at a time, are timed in each round.
    static let singleCount = 200
    /// So many accounts are asked for their balance and their statement.
    static let readingCount = 10
}
