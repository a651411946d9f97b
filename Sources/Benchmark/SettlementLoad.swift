import Glibc
import ServiceKit
import SettlementWorkers
import TradeFeed
import TradeModel

/// Settles a load in this process, the way a worker does: source, queue, workers, wallets.
final class SettlementLoad: Loader {
    private let service: SettlementService
    private let source = LoadSource()
    private let meter: LoadMeter
    private let life: Task<[SettlementItem], Never>

    init(connectionString: String, limits: Limits, version: String) throws {
        let meter = LoadMeter()
        let service = try SettlementService(
            SettlementService.Configuration(
                connectionString: connectionString, limits: limits, version: version, log: .silent,
                render: WireEncoder.encode, onCompletion: meter.record))
        self.meter = meter
        self.service = service
        life = Task { [source] in await service.run(sources: [source]) }
    }

    func stop() async {
        await source.stop()
        service.stop()
        _ = await life.value
    }

    func measure(
        _ request: LoadRequest, progress: @escaping @Sendable (Int) -> Void
    ) async throws -> LoadFigures {
        let before = Usage()
        let countsBefore = meter.all
        let retriesBefore = await service.pool.snapshot().counters.retries
        var phase = LoadSource.Phase(
            generator: LoadGenerator(request.shape, seed: request.seed), line: LoadLine(run: request.run),
            places: 0...)
        let watching = Task { [meter] in
            while (try? await Task.sleep(for: .milliseconds(100))) != nil {
                progress(meter.all.settled - countsBefore.settled)
            }
        }
        defer { watching.cancel() }

        let start: ContinuousClock.Instant
        let window: LoadMeter.Counts
        var end = ContinuousClock.now
        switch request.amount {
        case .trades(let count):
            if request.warmUp > 0 { try await run(&phase, request.warmUp, request.perSecond) }
            phase.places = request.warmUp...
            start = .now
            meter.openWindow()
            try await run(&phase, count, request.perSecond)
            window = meter.closeWindow()
            end = window.lastCommit ?? .now
        case .milliseconds(let milliseconds):
            begin(&phase, nil, request.perSecond)
            await source.begin(phase)
            do {
                // Connecting is no part of the warm-up.
                while meter.all.commits == countsBefore.commits { try await Task.sleep(for: .milliseconds(1)) }
                try await Task.sleep(for: .milliseconds(request.warmUp))
                start = .now
                meter.openWindow()
                try await Task.sleep(for: .milliseconds(milliseconds))
            } catch {
                await source.end()
                throw error
            }
            window = meter.closeWindow()
            end = .now
            await source.end()
            try await untilSettled()
        }
        let after = Usage()
        let all = meter.all
        return LoadFigures(
            seconds: Double(start.duration(to: end).nanoseconds) / 1e9, settled: window.settled,
            rejected: window.rejected, duplicates: window.duplicates, latencies: window.latencies,
            settledInAll: all.settled - countsBefore.settled, commitsInAll: all.commits - countsBefore.commits,
            retries: await service.pool.snapshot().counters.retries - retriesBefore,
            clientSeconds: after.seconds - before.seconds, peakBytes: after.peakBytes)
    }

    func measureAlone(_ count: Int, _ request: LoadRequest) async throws -> LatencyCounts {
        let generator = LoadGenerator(request.shape, seed: request.seed)
        let line = LoadLine(run: request.run)
        meter.follow(nil)
        for place in 0..<count {
            try Task.checkCancellation()
            if place == count / 10 { meter.openWindow() }
            await source.countHandedOut(1)
            try await service.pool.submit(LoadSource.items(place..<place + 1, generator, line))
            await service.pool.untilIdle()
        }
        return meter.closeWindow().latencies
    }

    /// Feeds so many messages and returns when the last is settled.
    private func run(_ phase: inout LoadSource.Phase, _ count: Int, _ perSecond: Int?) async throws {
        begin(&phase, count, perSecond)
        await source.begin(phase)
        try await untilSettled()
    }

    private func begin(_ phase: inout LoadSource.Phase, _ count: Int?, _ perSecond: Int?) {
        phase.count = count
        phase.schedule = perSecond.map {
            LoadMeter.Schedule(start: .now, firstPlace: phase.places.lowerBound, perSecond: $0)
        }
        meter.follow(phase.schedule)
    }

    /// Waits until nothing is fed any more and all that was has been decided.
    private func untilSettled() async throws {
        while true {
            let isFeeding = await source.isFeeding
            if !isFeeding, await meter.all.finished >= source.handedOut { return }
            do {
                try await Task.sleep(for: .milliseconds(1))
            } catch {
                await source.end()
                throw error
            }
            if await service.intakeFailure != nil { throw BenchmarkError("the way in failed") }
        }
    }
}

/// What this process has used so far.
struct Usage {
    let seconds: Double
    let peakBytes: Int

    init() {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
        self.seconds = seconds(usage.ru_utime) + seconds(usage.ru_stime)
        peakBytes = usage.ru_maxrss * 1_024
    }
}

extension SettlementItem {
    var trade: Trade? { if case .trade(let trade) = subject { trade } else { nil } }
}

extension LoadLine {
    static func number(of trade: Trade) -> Int? { number(ofID: trade.id.text) }
}
