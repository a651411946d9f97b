import Foundation
import Repository
import ServiceKit

/// Measures settling and its opponents in rounds, in a scratch database, one after the other.
public final class Benchmark {
    private let plan: BenchmarkPlan
    private let scratch: ScratchDatabase
    private let note: @Sendable (String) -> Void
    /// What is going on, how many of how many; without a total where that is not known.
    private let progress: @Sendable (String, Int, Int?) -> Void
    private var report: BenchmarkReport
    private var loaders: [any Loader] = []
    private var rivals: Opponents?
    /// All trades of this run, and those of the rounds alone with what they added to the tables.
    private var settled = 0
    private var settledInRounds = 0
    private var grown = ServerProbe.Sizes(rows: 0, bytes: 0)
    private let connection: PostgresConnection
    private let probe: ServerProbe
    private let readings: ReadingProbe

    public init(
        _ plan: BenchmarkPlan, in scratch: ScratchDatabase, note: @escaping @Sendable (String) -> Void,
        progress: @escaping @Sendable (String, Int, Int?) -> Void
    ) throws {
        self.plan = plan
        self.scratch = scratch
        self.note = note
        self.progress = progress
        report = BenchmarkReport(plan)
        connection = try scratch.connect()
        probe = try ServerProbe(connection)
        readings = ReadingProbe(
            try scratch.connect(), LoadGenerator(plan.shape(plan.skews[0]).clean, seed: plan.seed),
            count: BenchmarkPlan.readingCount)
    }

    public func run() async throws -> BenchmarkReport {
        do {
            try await measure()
        } catch {
            await stopLoaders()
            throw error
        }
        await stopLoaders()
        progress("verifying the books", 0, nil)
        report.verification = try await verify()
        return report
    }

    private func stopLoaders() async {
        for loader in loaders { await loader.stop() }
        loaders = []
    }

    private func measure() async throws {
        report.scratch = scratch.kind
        report.serverVersion = try probe.version().text
        report.settings = try probe.settings()
        let accountCount = plan.accountCount
        try await Funding(connectionString: scratch.connectionString, limits: plan.limits)
            .run(accountCount: accountCount) { [progress] in progress("funding accounts", $0, accountCount) }
        let opponents = try await Opponents(plan, scratch, connection, serverMajor: probe.version().major, progress)
        report.missing = opponents.missing
        rivals = opponents
        try connection.script("create table one_row_commits (number bigint primary key, at timestamptz default now())")
        try startLoaders()
        try await warm()
        for prefillCount in plan.prefillCounts { try await measureStage(prefillCount) }
        report.rowsPerTrade = Double(grown.rows) / Double(max(1, settledInRounds))
        report.bytesPerTrade = Double(grown.bytes) / Double(max(1, settledInRounds))
    }

    private func startLoaders() throws {
        for _ in 0..<plan.processCount {
            loaders.append(
                plan.processCount == 1
                    ? try SettlementLoad(
                        connectionString: scratch.connectionString, limits: plan.limits, version: plan.version)
                    : try LoadProcess(
                        connectionString: scratch.connectionString, limits: plan.limits, version: plan.version))
        }
    }

    /// Settles until the connections know the accounts: what is measured is not how fast they are read.
    private func warm() async throws {
        try await prepare("letting connections meet the accounts", loaders, run: "warm", count: plan.warmingCount)
        try connection.liftStatementTimeout()
        try await analyze()
    }

    /// Brings the planner's statistics up to date, however long indexes of the same tables are still in the making.
    private func analyze() async throws {
        try connection.script("set lock_timeout = 0")
        while try !hasAnalyzed() { try await Task.sleep(for: .seconds(1)) }
    }

    /// Where an index for readers is just being built, PostgreSQL may end one of the two.
    private func hasAnalyzed() throws(DatabaseError) -> Bool {
        do {
            try connection.script("analyze")
            return true
        } catch {
            guard error.sqlState == DatabaseError.deadlockDetected else { throw error }
            return false
        }
    }

    /// Fills the tables by settling, so that they are as a service of that age has them.
    private func fill(to count: Int) async throws {
        guard count > settled else { return }
        try await prepare("filling the tables", [loaders[0]], run: "fill\(settled)", count: count - settled)
        try await analyze()
    }

    /// Settles uniform trades that are not measured, so many in each of some processes.
    private func prepare(_ title: String, _ loaders: [any Loader], run: String, count: Int) async throws {
        let requests = loaders.indices.map { number in
            let run = "\(run)-\(number)"
            return LoadRequest(
                shape: plan.shape(.uniform).clean, seed: seed(run), run: run, amount: .trades(count), warmUp: 0)
        }
        settled += try await measure(requests, title, with: loaders).settledInAll
    }

    /// Fills the tables up to a number of trades, and measures with them.
    private func measureStage(_ prefillCount: Int) async throws {
        try await fill(to: prefillCount)
        let before = try condition()
        let sizes = try probe.sizes()
        let settledBefore = settled
        for round in 1...plan.roundCount { try await measureRound(round, prefillCount) }
        let sizesAfter = try probe.sizes()
        grown.rows += sizesAfter.rows - sizes.rows
        grown.bytes += sizesAfter.bytes - sizes.bytes
        settledInRounds += settled - settledBefore
        report.stages.append(
            BenchmarkReport.Stage(prefillCount: prefillCount, before: before, after: try condition()))
    }

    private func condition() throws -> BenchmarkReport.Condition {
        progress("asking for balances and statements", 0, nil)
        var condition = BenchmarkReport.Condition()
        condition.trades = settled
        try readings.measure(into: &condition)
        condition.tables = try TableHealth.read(connection)
        return condition
    }

    // MARK: Rounds

    /// - Parameter stageRound: counted from 1 in each stage.
    private func measureRound(_ stageRound: Int, _ prefillCount: Int) async throws {
        let stage = plan.prefillCounts.count > 1 ? "stage \(report.stages.count + 1), " : ""
        let label = "\(stage)round \(stageRound) of \(plan.roundCount)"
        // Of the whole run: nothing is to be done twice.
        let round = report.stages.count * plan.roundCount + stageRound
        var rates: [Rival: Double] = [:]
        var seconds = BenchmarkPlan.opponentSeconds.lowerBound
        for index in report.cases.indices where report.cases[index].kind.prefillCount == prefillCount {
            let kind = report.cases[index].kind
            let measurement = try await measure(kind, round: round, label: label)
            report.cases[index].rounds.append(measurement)
            seconds = measurement.figures.seconds
            guard kind.pace == nil else { continue }
            try await measureRivals(of: kind.shape, seconds: seconds, round: round, label: label, &rates)
            for opponent in plan.opponents {
                let rival = Rival(kind: opponent, shape: opponent.heedsSkew ? kind.shape : nil)
                guard let theirs = rates[rival] else { continue }
                report.cases[index].ratios[opponent, default: []].append(measurement.figures.perSecond / theirs)
            }
        }
        try measureOneRowCommits(round)
        progress("\(label): one trade at a time", 0, nil)
        report.alone.add(
            try await loaders[0].measureAlone(
                BenchmarkPlan.singleCount,
                LoadRequest(
                    shape: plan.shape(plan.skews[0]).clean, seed: plan.seed &+ UInt64(round), run: "a\(round)",
                    amount: .trades(BenchmarkPlan.singleCount), warmUp: 0)))
        settled += BenchmarkPlan.singleCount
        let peak = report.cases.flatMap(\.rounds).map(\.figures.peakBytes).max() ?? 0
        if round == 1 { report.peakBytesFirstRound = peak }
        report.peakBytes = peak
        noteRound(label, prefillCount)
    }

    private func noteRound(_ label: String, _ prefillCount: Int) {
        let parts = report.cases.filter { $0.kind.prefillCount == prefillCount }.compactMap { result -> String? in
            guard let last = result.rounds.last else { return nil }
            let pace = last.offeredPerSecond.map { " of \($0)/s due" } ?? ""
            let count = result.kind.processCount
            let processes = plan.processCount > 1 ? ", \(count) process\(count == 1 ? "" : "es")" : ""
            let clean = !plan.shape(.uniform).isClean && result.kind.shape.isClean ? ", clean" : ""
            return "\(result.kind.shape.skew.name)\(clean)\(processes) \(Int(last.figures.perSecond))/s\(pace)"
        }
        note("\(label): " + parts.joined(separator: "; "))
    }

    private func measure(
        _ kind: BenchmarkReport.Case, round: Int, label: String
    ) async throws -> BenchmarkReport.Measurement {
        let index = report.cases.firstIndex { $0.kind == kind }!
        var perSecond: Int?
        switch kind.pace {
        case nil: break
        case .perSecond(let rate): perSecond = rate
        case .percent(let percent):
            var closed = kind
            closed.pace = nil
            let saturation = report.result(of: closed)?.perSecond?.median ?? 0
            perSecond = max(1, Int(saturation) * percent / 100)
        }
        let walBefore = try probe.walPosition()
        let serverBefore = probe.serverSeconds()
        let title = "\(label): settling, \(kind.shape.skew.name)"
        let requests = (0..<kind.processCount).map { request(kind, "\(round)-\(index)-\($0)", perSecond) }
        let figures = try await measure(requests, title, with: Array(loaders.prefix(kind.processCount)))
        settled += figures.settledInAll
        guard figures.settled > 0 else {
            throw BenchmarkError("nothing was settled in the time; measure for longer, or more trades")
        }
        let serverAfter = probe.serverSeconds()
        return BenchmarkReport.Measurement(
            figures: figures, walBytes: try probe.walPosition() - walBefore,
            serverSeconds: serverBefore.flatMap { before in serverAfter.map { $0 - before } },
            offeredPerSecond: perSecond)
    }

    /// Lets each of some processes do something, at once.
    private func measure(
        _ requests: [LoadRequest], _ title: String, with loaders: [any Loader]
    ) async throws -> LoadFigures {
        let settled = Guarded([Int](repeating: 0, count: requests.count))
        let totals = requests.compactMap(\.tradesInAll)
        let total = totals.count == requests.count ? totals.reduce(0, +) : nil
        let parts = try await withThrowingTaskGroup(of: LoadFigures.self) { group in
            for (number, (request, loader)) in zip(requests, loaders).enumerated() {
                group.addTask { [progress] in
                    try await loader.measure(request) { count in
                        let sum = settled.withLock { settled in
                            settled[number] = count
                            return settled.reduce(0, +)
                        }
                        progress(title, sum, total)
                    }
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        return LoadFigures.sum(parts)
    }

    /// What one of the processes is to do: its share of the trades and of the rate.
    private func request(_ kind: BenchmarkReport.Case, _ run: String, _ perSecond: Int?) -> LoadRequest {
        var amount = plan.amount
        if case .trades(let count) = amount { amount = .trades(max(1, count / kind.processCount)) }
        return LoadRequest(
            shape: kind.shape, seed: seed(run), run: run, amount: amount, warmUp: plan.warmUp(of: amount),
            perSecond: perSecond.map { max(1, $0 / kind.processCount) })
    }

    /// Each run has trades of its own.
    private func seed(_ run: String) -> UInt64 { run.utf8.reduce(plan.seed) { $0 &* 1_000_003 &+ UInt64($1) } }

    /// An opponent on a load; without one where it does not matter.
    private struct Rival: Hashable {
        let kind: OpponentKind
        let shape: LoadShape?
    }

    private func measureRivals(
        of shape: LoadShape, seconds: Double, round: Int, label: String, _ rates: inout [Rival: Double]
    ) async throws {
        guard let rivals else { return }
        for kind in plan.opponents where !report.missing.contains(where: { $0.kind == kind }) {
            let rival = Rival(kind: kind, shape: kind.heedsSkew ? shape : nil)
            guard rates[rival] == nil else { continue }
            let skew = kind.heedsSkew ? shape.skew : nil
            progress("\(label): \(kind.rawValue)\(skew.map { ", \($0.name)" } ?? "")", 0, nil)
            let bounds = BenchmarkPlan.opponentSeconds
            let rate = try await rivals.perSecond(
                kind, shape: shape, seconds: min(bounds.upperBound, max(bounds.lowerBound, seconds)), round: round)
            rates[rival] = rate
            if let index = report.opponents.firstIndex(where: { $0.kind == kind && $0.skew == skew }) {
                report.opponents[index].perSecond.append(rate)
            } else {
                report.opponents.append(.init(kind: kind, skew: skew, perSecond: [rate]))
            }
        }
    }

    /// What a commit costs at the least on this server.
    private func measureOneRowCommits(_ round: Int) throws {
        let statement = Statement("one_row", "insert into one_row_commits (number) values ($1)")
        for number in 0..<BenchmarkPlan.singleCount {
            try Task.checkCancellation()
            let start = ContinuousClock.now
            try connection.query(statement, .int8(Int64(round * BenchmarkPlan.singleCount + number)))
            report.oneRowCommit.record(nanoseconds: start.duration(to: .now).nanoseconds)
        }
    }

    private func verify() async throws -> Verification.Report {
        let interrupter = connection.interrupter()
        return try await withTaskCancellationHandler {
            try Task.checkCancellation()
            do {
                return try Verification.run(on: connection)
            } catch {
                try Task.checkCancellation()
                throw error
            }
        } onCancel: {
            interrupter.interrupt()
        }
    }
}
