import CommandKit
import ServiceKit
import SettlementWorkers

/// What `settle up` says where it has no screen: a line a second.
struct UpReport {
    let service: SettlementService
    let meter: SettlementMeter
    let engineMeter: EngineMeter
    let output: Output

    /// Until it is cancelled; when nobody listens any more, it asks for an end.
    func run(else stop: () -> Void) async {
        var next = ContinuousClock.now + .seconds(1)
        while (try? await Task.sleep(until: next, clock: .continuous)) != nil {
            next += .seconds(1)
            do { try await tell() } catch { return stop() }
        }
    }

    private func tell() async throws {
        let second = meter.takeSecond()
        let engine = engineMeter.reading
        let snapshot = await service.pool.snapshot()
        let breaker = await service.wallets.isAvailable ? "closed" : "open"
        let isPaused = service.queueControl.isPaused
        let words =
            "settled \(second.settledInAll.grouped)  rate \(second.settled.grouped)/s  "
            + "p50 \(second.p50) ms  p99 \(second.p99) ms  queue \(snapshot.queueDepth)  "
            + "retries \(snapshot.counters.retries)  dead letters \(second.parkedInAll.grouped)  "
            + "orders \(engine.orders.grouped)  lag \(engine.lag.grouped)"
            + (breaker == "open" ? "  database away" : "") + (isPaused ? "  paused" : "")
            + (engine.isHeldBack ? "  market waits" : "")
        // As JSON there is one document, which comes at the end.
        if output.format == .json {
            output.note(words)
            return
        }
        try output.show([
            "settled": .integer(second.settledInAll), "rate": .integer(second.settled),
            "p50_ms": .measure(Double(second.p50), decimals: 1),
            "p99_ms": .measure(Double(second.p99), decimals: 1),
            "queue": .integer(snapshot.queueDepth), "retries": .integer(snapshot.counters.retries),
            "breaker": .string(breaker), "dead_letters": .integer(second.parkedInAll),
            "paused": .bool(isPaused), "orders": .integer(engine.orders), "trades": .integer(engine.trades),
            "open_orders": .integer(engine.openOrders), "engine_sequence": .count(engine.sequence),
            "watermark": .count(engine.watermark), "watermark_lag": .integer(engine.lag),
        ]) {
            try output.line(words)
        }
        try output.flush()
    }
}
