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
    public var pace: Pace?
    public var roundCount = 3
    public var processCount = 1
    public var prefillCount = 0
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

    /// What each round measures of settling, in this order.
    var cases: [BenchmarkReport.Case] {
        var cases: [BenchmarkReport.Case] = []
        for skew in skews {
            var own = BenchmarkReport.Case(shape: shape(skew), pace: nil, processCount: processCount)
            if case .perSecond = pace { own.pace = pace }
            cases.append(own)
            if !own.shape.isClean {
                var clean = own
                clean.shape = own.shape.clean
                cases.append(clean)
            }
            if processCount > 1 {
                var single = own
                single.processCount = 1
                cases.append(single)
            }
            if case .percent = pace {
                var open = own
                open.pace = pace
                cases.append(open)
            }
        }
        return cases
    }

    /// An opponent works as long as we did, within these bounds.
    static let opponentSeconds = 0.3...10.0
    /// So many commits of one row, and trades one at a time, are timed in each round.
    static let singleCount = 200
}
