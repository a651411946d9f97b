import ServiceKit
import TradeFeed

/// Stands between a consumer and a publisher and does to their messages what a bad day would.
actor FaultyProxy {
    struct Faults: Sendable {
        var dropPerMille = 0
        var doublePerMille = 0
        /// Held back, so that what comes behind overtakes it.
        var delayPerMille = 0
        var delayMilliseconds = 15
        var cutPerMille = 0
        var flipPerMille = 0

        static let all = Faults(
            dropPerMille: 40, doublePerMille: 40, delayPerMille: 60, cutPerMille: 20, flipPerMille: 20)
    }

    private struct Held {
        var bytes: [UInt8]
        var isForConsumer: Bool
        var due: ContinuousClock.Instant
    }

    nonisolated let endpoint: String
    private var front: ZeroMQSocket?
    private var back: ZeroMQSocket?
    private let wake: WakeSignal
    private let isStopped = Guarded(false)
    private let faults: Faults
    private var generator: SeededGenerator
    private var route: [UInt8] = []
    private var held: [Held] = []
    private let clock = ContinuousClock()
    private let executor = BlockingExecutor(label: "settle.test.proxy")

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    init(to target: String, faults: Faults, seed: UInt64) throws {
        let front = try ZeroMQSocket.open(.router, highWater: 1_000, messageBytesMax: nil)
        let back = try ZeroMQSocket.open(.dealer, highWater: 1_000, messageBytesMax: nil)
        endpoint = try front.bind(FeedFixture.endpoint())
        try back.connect(target)
        self.front = consume front
        self.back = consume back
        wake = try WakeSignal()
        self.faults = faults
        generator = SeededGenerator(seed: seed)
    }

    nonisolated func stop() {
        isStopped.withLock { $0 = true }
    }

    func run() throws {
        defer {
            front = nil
            back = nil
        }
        while !isStopped.withLock({ $0 }) {
            while let frame = try front?.receiveFrame(routed: true) ?? nil {
                route = frame.route
                try pass(frame.bytes, isForConsumer: false)
            }
            while let frame = try back?.receiveFrame(routed: false) ?? nil {
                try pass(frame.bytes, isForConsumer: true)
            }
            let due = held.filter { $0.due <= clock.now }
            held.removeAll { $0.due <= clock.now }
            for one in due { try deliver(one.bytes, isForConsumer: one.isForConsumer) }
            try front?.waitToReceive(or: wake.descriptor, timeout: .milliseconds(1))
        }
    }

    private func happens(_ perMille: Int) -> Bool { Int.random(in: 0..<1_000, using: &generator) < perMille }

    private func pass(_ bytes: [UInt8], isForConsumer: Bool) throws {
        var bytes = bytes
        if happens(faults.dropPerMille) { return }
        if happens(faults.cutPerMille) { bytes.removeLast(Int.random(in: 1...bytes.count, using: &generator)) }
        // Not in the version: that a publisher speaks another one is no damage.
        if happens(faults.flipPerMille), bytes.count > 3 {
            bytes[Int.random(in: 3..<bytes.count, using: &generator)] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
        }
        for _ in 0..<(happens(faults.doublePerMille) ? 2 : 1) {
            if happens(faults.delayPerMille) {
                let delay = Int.random(in: 1...faults.delayMilliseconds, using: &generator)
                held.append(Held(bytes: bytes, isForConsumer: isForConsumer, due: clock.now + .milliseconds(delay)))
            } else {
                try deliver(bytes, isForConsumer: isForConsumer)
            }
        }
    }

    /// What finds no room is lost, as on any bad day.
    private func deliver(_ bytes: [UInt8], isForConsumer: Bool) throws {
        if isForConsumer {
            if !route.isEmpty { _ = try front?.sendNow(bytes, [], to: route) }
        } else {
            _ = try back?.sendNow(bytes, [], to: nil)
        }
    }
}
