import ServiceKit
import SettlementWorkers

/// Lets the settlement come to the engine's newest record before it ends.
struct CatchUp {
    /// When nothing has moved for so long, it is not waited for any more; the engine's log has the rest.
    private static let patience = Duration.seconds(5)
    private static let interval = Duration.milliseconds(5)

    let service: SettlementService
    let meter: EngineMeter

    /// Does not wait for a queue that is paused.
    func run() async {
        var watermark = meter.reading.watermark
        var movedAt = ContinuousClock.now
        while !Task.isCancelled, !service.queueControl.isPaused {
            let reading = meter.reading
            if reading.lag == 0 { return }
            if reading.watermark != watermark {
                watermark = reading.watermark
                movedAt = .now
            }
            if ContinuousClock.now - movedAt > Self.patience { return }
            try? await Task.sleep(for: Self.interval)
        }
    }
}
