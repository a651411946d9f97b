import Testing

@testable import Benchmark

/// What a plan measures, and in which order.
@Suite struct BenchmarkPlanTests {
    @Test func `shares of what is reached come after it, rates alone instead of it`() {
        var plan = BenchmarkPlan()
        plan.paces = [.percent(10), .perSecond(500)]
        #expect(plan.cases.map(\.pace) == [nil, .percent(10), .perSecond(500)])
        plan.paces = [.perSecond(500), .perSecond(600)]
        #expect(plan.cases.map(\.pace) == [.perSecond(500), .perSecond(600)])
    }

    @Test func `each stage measures the same`() {
        var plan = BenchmarkPlan()
        plan.skews = [.uniform, .hot]
        plan.unfundableBasisPoints = 100
        plan.processCount = 2
        plan.prefillCounts = [0, 1_000]
        let kinds = plan.cases
        #expect(kinds.count == 12 && Set(kinds).count == 12)
        #expect(kinds.prefix(6).allSatisfy { $0.prefillCount == 0 })
        #expect(kinds.suffix(6).allSatisfy { $0.prefillCount == 1_000 })
        #expect(kinds[0].shape.unfundableBasisPoints == 100 && kinds[1].shape.isClean && kinds[2].processCount == 1)
    }

    @Test func `a rate is compared with that of the first stage`() throws {
        var plan = BenchmarkPlan()
        plan.prefillCounts = [0, 1_000]
        var report = BenchmarkReport(plan)
        for (index, settled) in [400, 300].enumerated() {
            report.cases[index].rounds = [measurement(settled)]
        }
        #expect(report.ratioToFirstStage(report.cases[0]) == nil)
        #expect(report.ratioToFirstStage(report.cases[1])?.median == 0.75)
    }

    private func measurement(_ settled: Int) -> BenchmarkReport.Measurement {
        BenchmarkReport.Measurement(
            figures: LoadFigures(
                seconds: 1, settled: settled, rejected: 0, duplicates: 0, latencies: LatencyCounts(),
                settledInAll: settled, commitsInAll: 1, retries: 0, clientSeconds: 0, peakBytes: 0),
            walBytes: 0)
    }

    @Test func `a process meets each account several times, and no more accounts than it remembers`() {
        var plan = BenchmarkPlan()
        plan.accountCount = 1_000
        #expect(plan.warmingCount == 4 * 1_000 / 2)
        plan.accountCount = 10_000_000
        #expect(plan.warmingCount == plan.limits.cachedBalancesMax)
    }

    @Test func `what updates leave behind is told from two moments`() {
        func balances(_ updates: Int64, _ hot: Int64) -> TableHealth {
            TableHealth(
                name: "balances", liveRows: 10, deadRows: 1, tableBytes: 8_192 * updates, indexBytes: 0,
                updates: updates, hotUpdates: hot, autovacuums: 0)
        }
        let growth = TableHealth.Growth(from: balances(100, 10), to: balances(300, 208))
        #expect(growth.updates == 200 && growth.hotPercent == 99 && growth.bytes == 200 * 8_192)
        #expect(TableHealth.Growth(from: balances(5, 5), to: balances(5, 5)).hotPercent == nil)
    }
}
