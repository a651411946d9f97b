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
    private var settledInRounds = 0
    private let connection: PostgresConnection
    private let probe: ServerProbe

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
        try await prefill()

        let before = try probe.sizes()
        for round in 1...plan.roundCount { try await measureRound(round) }
        let after = try probe.sizes()
        let settled = max(1, settledInRounds)
        report.rowsPerTrade = Double(after.rows - before.rows) / Double(settled)
        report.bytesPerTrade = Double(after.bytes - before.bytes) / Double(settled)
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

    /// Fills the tables by settling, so that they are as a service of that age has them.
    private func prefill() async throws {
        guard plan.prefillCount > 0 else { return }
        let request = LoadRequest(
            shape: plan.shape(.uniform).clean, seed: plan.seed &+ 1_000_003, run: "prefill",
            amount: .trades(plan.prefillCount), warmUpMilliseconds: 0)
        let total = plan.prefillCount + LoadRequest.warmUpTrades(plan.prefillCount)
        _ = try await loaders[0].measure(request) { [progress] in progress("filling the tables", $0, total) }
        try connection.liftStatementTimeout()
        try connection.script("vacuum (analyze)")
    }

    // MARK: Rounds

    private func measureRound(_ round: Int) async throws {
        let label = "round \(round) of \(plan.roundCount)"
        var rates: [Rival: Double] = [:]
        var seconds = BenchmarkPlan.opponentSeconds.lowerBound
        for index in report.cases.indices {
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
                    amount: .trades(BenchmarkPlan.singleCount), warmUpMilliseconds: 0)))
        settledInRounds += BenchmarkPlan.singleCount
        let peak = report.cases.flatMap(\.rounds).map(\.figures.peakBytes).max() ?? 0
        if round == 1 { report.peakBytesFirstRound = peak }
        report.peakBytes = peak
        noteRound(label)
    }

    private func noteRound(_ label: String) {
        let parts = report.cases.compactMap { result -> String? in
            guard let last = result.rounds.last else { return nil }
            let pace = result.kind.pace == nil ? "" : " at a given rate"
            let processes = plan.processCount > 1 ? ", \(result.kind.processCount) processes" : ""
            let clean = !plan.shape(.uniform).isClean && result.kind.shape.isClean ? ", clean" : ""
            return "\(result.kind.shape.skew.name)\(clean)\(processes)\(pace) \(Int(last.figures.perSecond))/s"
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
        let settled = Guarded([Int](repeating: 0, count: kind.processCount))
        let total = plan.amount.tradesWithWarmUp
        let parts = try await withThrowingTaskGroup(of: LoadFigures.self) { group in
            for (number, loader) in loaders.prefix(kind.processCount).enumerated() {
                let request = request(kind, "\(round)-\(index)-\(number)", perSecond)
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
        let figures = LoadFigures.sum(parts)
        settledInRounds += figures.settledInAll
        guard figures.settled > 0 else {
            throw BenchmarkError("nothing was settled in the time; measure for longer, or more trades")
        }
        let serverAfter = probe.serverSeconds()
        return BenchmarkReport.Measurement(
            figures: figures, walBytes: try probe.walPosition() - walBefore,
            serverSeconds: serverBefore.flatMap { before in serverAfter.map { $0 - before } },
            offeredPerSecond: perSecond)
    }

    /// What one of the processes is to do: its share of the trades and of the rate.
    private func request(_ kind: BenchmarkReport.Case, _ run: String, _ perSecond: Int?) -> LoadRequest {
        var amount = plan.amount
        if case .trades(let count) = amount { amount = .trades(max(1, count / kind.processCount)) }
        let seed = run.utf8.reduce(plan.seed) { $0 &* 1_000_003 &+ UInt64($1) }
        return LoadRequest(
            shape: kind.shape, seed: seed, run: run, amount: amount, warmUpMilliseconds: plan.warmUpMilliseconds,
            perSecond: perSecond.map { max(1, $0 / kind.processCount) })
    }

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
