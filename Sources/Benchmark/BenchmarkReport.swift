import Repository

/// What a benchmark found.
public struct BenchmarkReport: Sendable {
    /// One way in which settling was measured, in every round.
    public struct Case: Sendable, Hashable {
        public var shape: LoadShape
        /// nil: as fast as it goes.
        public var pace: BenchmarkPlan.Pace?
        public var processCount: Int
        /// How many trades the tables were filled up to before.
        public var prefillCount: Int
    }

    /// One round of a case.
    public struct Measurement: Sendable {
        public var figures: LoadFigures
        public var walBytes: Int64
        public var serverSeconds: Double?
        /// What was asked for, where a pace was given.
        public var offeredPerSecond: Int?
    }

    public struct CaseResult: Sendable {
        public let kind: Case
        public internal(set) var rounds: [Measurement] = []
        /// By opponent: ours over theirs in the same round.
        public internal(set) var ratios: [OpponentKind: [Double]] = [:]

        public var perSecond: Spread? { Spread(rounds.map(\.figures.perSecond)) }
        public var processedPerSecond: Spread? { Spread(rounds.map(\.figures.processedPerSecond)) }

        /// Of all rounds together.
        public var latencies: LatencyCounts {
            rounds.reduce(into: LatencyCounts()) { $0.add($1.figures.latencies) }
        }
        public var retries: Int { rounds.reduce(0) { $0 + $1.figures.retries } }
        public var rejected: Int { rounds.reduce(0) { $0 + $1.figures.rejected } }
        public var duplicates: Int { rounds.reduce(0) { $0 + $1.figures.duplicates } }
        public var settled: Int { rounds.reduce(0) { $0 + $1.figures.settled } }
        public var offeredPerSecond: Int? { rounds.last?.offeredPerSecond }

        private var settledInAll: Int { rounds.reduce(0) { $0 + $1.figures.settledInAll } }
        private var commitsInAll: Int { rounds.reduce(0) { $0 + $1.figures.commitsInAll } }
        private var walBytes: Int64 { rounds.reduce(0) { $0 + $1.walBytes } }

        public var tradesPerCommit: Double { Double(settledInAll) / Double(max(1, commitsInAll)) }
        public var walBytesPerCommit: Double { Double(walBytes) / Double(max(1, commitsInAll)) }
        public var walBytesPerTrade: Double { Double(walBytes) / Double(max(1, settledInAll)) }
        public var clientMicrosecondsPerTrade: Double {
            rounds.reduce(0) { $0 + $1.figures.clientSeconds } * 1e6 / Double(max(1, settledInAll))
        }
        public var serverMicrosecondsPerTrade: Double? {
            let seconds = rounds.compactMap(\.serverSeconds)
            guard seconds.count == rounds.count, !seconds.isEmpty else { return nil }
            return seconds.reduce(0, +) * 1e6 / Double(max(1, settledInAll))
        }

        /// Ours over that of another case, round by round.
        public func ratio(to other: CaseResult) -> Spread? {
            Spread(zip(rounds, other.rounds).map { $0.figures.perSecond / $1.figures.perSecond })
        }
    }

    /// The tables at a moment, and how long an account's questions take then.
    public struct Condition: Sendable {
        /// How many trades this run had settled.
        public internal(set) var trades = 0
        public internal(set) var balance = LatencyCounts()
        /// The first page of a statement, and the newest entries.
        public internal(set) var statement = LatencyCounts()
        public internal(set) var newestEntries = LatencyCounts()
        public internal(set) var tables: [TableHealth] = []
    }

    /// The rounds with one number of trades in the tables before them.
    public struct Stage: Sendable {
        public let prefillCount: Int
        public let before: Condition
        public internal(set) var after: Condition

        /// What became of a table during the rounds.
        public func growth(of table: TableHealth) -> TableHealth.Growth? {
            before.tables.first { $0.name == table.name }.map { TableHealth.Growth(from: $0, to: table) }
        }
    }

    public struct OpponentResult: Sendable {
        public let kind: OpponentKind
        /// nil where it does not matter who trades.
        public let skew: Skew?
        public internal(set) var perSecond: [Double] = []
    }

    public let plan: BenchmarkPlan
    public internal(set) var cases: [CaseResult] = []
    public internal(set) var stages: [Stage] = []
    public internal(set) var opponents: [OpponentResult] = []
    /// Opponents that could not be measured, and why.
    public internal(set) var missing: [(kind: OpponentKind, reason: String)] = []
    /// A commit of one row into an empty table, over one connection.
    public internal(set) var oneRowCommit = LatencyCounts()
    /// One trade at a time, with nothing else going on.
    public internal(set) var alone = LatencyCounts()
    public internal(set) var rowsPerTrade = 0.0
    public internal(set) var bytesPerTrade = 0.0
    public internal(set) var serverVersion = ""
    public internal(set) var settings: [(name: String, value: String)] = []
    public internal(set) var scratch = ScratchDatabase.Kind.database
    public internal(set) var peakBytesFirstRound = 0
    public internal(set) var peakBytes = 0
    public internal(set) var verification: Verification.Report?

    init(_ plan: BenchmarkPlan) {
        self.plan = plan
        cases = plan.cases.map { CaseResult(kind: $0) }
    }

    /// What was asked for first.
    public var main: CaseResult { cases[0] }

    /// The case that differs from another in one respect only.
    public func result(of kind: Case) -> CaseResult? { cases.first { $0.kind == kind } }

    /// The rate over that of the uniform load, where both were measured.
    public func ratioToUniform(_ result: CaseResult) -> Spread? {
        guard result.kind.shape.skew != .uniform, result.kind.pace == nil else { return nil }
        var uniform = result.kind
        uniform.shape.skew = .uniform
        return self.result(of: uniform).flatMap { result.ratio(to: $0) }
    }

    public func ratioToClean(_ result: CaseResult) -> Spread? {
        guard !result.kind.shape.isClean else { return nil }
        var clean = result.kind
        clean.shape = clean.shape.clean
        return self.result(of: clean).flatMap { result.ratio(to: $0) }
    }

    /// The rate over that with the fewest trades in the tables.
    public func ratioToFirstStage(_ result: CaseResult) -> Spread? {
        guard let first = plan.prefillCounts.first, result.kind.prefillCount != first, result.kind.pace == nil else {
            return nil
        }
        var young = result.kind
        young.prefillCount = first
        return self.result(of: young).flatMap { result.ratio(to: $0) }
    }

    public func ratioToOneProcess(_ result: CaseResult) -> Spread? {
        guard result.kind.processCount > 1 else { return nil }
        var single = result.kind
        single.processCount = 1
        return self.result(of: single).flatMap { result.ratio(to: $0) }
    }
}
