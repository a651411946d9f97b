import ServiceKit
import SettlementWorkers
import TradeFeed
import TradeModel

/// The way in of a benchmark: hands out trades while a phase lasts, decoded as they would be from an engine, and waits
/// between phases.
actor LoadSource: SettlementService.Source {
    struct Phase {
        var generator: LoadGenerator
        var line: LoadLine
        /// Places in the stream of this run; without an upper end until the phase is ended.
        var places: PartialRangeFrom<Int>
        var count: Int?
        var schedule: LoadMeter.Schedule?
    }

    private var phase: Phase?
    private var place = 0
    private var isStopped = false
    private var waiting: CheckedContinuation<Void, Never>?
    /// How many messages were handed out since the beginning.
    private(set) var handedOut = 0

    /// As many as the intake takes in one go.
    private static let messagesMax = 500
    /// A sleep is this long at least: waking up four times as often took a fifth more of the processor a trade, which
    /// those who settle lacked.
    private static let sleepMin = Duration.milliseconds(1)
    static let name = "bench"

    func begin(_ phase: Phase) {
        self.phase = phase
        place = phase.places.lowerBound
        waiting.take()?.resume()
    }

    /// Ends the phase and returns the place that would have been next.
    @discardableResult
    func end() -> Int {
        phase = nil
        return place
    }

    var isFeeding: Bool { phase != nil }

    /// Counts messages that went to the pool by another way.
    func countHandedOut(_ count: Int) { handedOut += count }

    func stop() {
        isStopped = true
        phase = nil
        waiting.take()?.resume()
    }

    func next() async throws -> [SettlementItem]? {
        while !isStopped {
            guard let phase else {
                await withCheckedContinuation { waiting = $0 }
                continue
            }
            var count = Self.messagesMax
            if let total = phase.count { count = min(count, phase.places.lowerBound + total - place) }
            if let schedule = phase.schedule {
                let elapsed = schedule.start.duration(to: .now).nanoseconds
                let due = elapsed < 0 ? 0 : 1 + Int(elapsed / 1_000 * Int64(schedule.perSecond) / 1_000_000)
                count = min(count, phase.places.lowerBound + due - place)
                if count <= 0, phase.count.map({ place < phase.places.lowerBound + $0 }) ?? true {
                    try await Task.sleep(until: max(schedule.due(place), .now + Self.sleepMin), clock: .continuous)
                    continue
                }
            }
            guard count > 0 else {
                self.phase = nil
                continue
            }
            let places = place..<place + count
            place += count
            handedOut += count
            return Self.items(places, phase.generator, phase.line)
        }
        return nil
    }

    static func items(_ places: Range<Int>, _ generator: LoadGenerator, _ line: LoadLine) -> [SettlementItem] {
        places.flatMap { place in
            WireDecoder.decodeMessage(
                line.bytes(of: generator.trade(generator.number(at: place))), source: Self.name)
        }
    }
}
