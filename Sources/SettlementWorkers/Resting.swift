import Repository
import ServiceKit
import TradeModel

/// Keeps a duty from the settling's way.
///
/// While something settles it gets a twentieth of the time: it rests for so many times as long as its last piece of
/// work took. Once it has been behind for minutes it gets a fifth, unless more trades come than are settled, with which
/// it would fall behind all the same. Where nothing settles, it goes on at once.
struct Resting {
    private static let restPerWork = 19
    private static let restPerWorkWhenLate = 4
    /// So long a duty may be behind before it is late.
    private static let lateness = Duration.seconds(600)
    /// Something that waited for long is no reason to rest for an hour.
    private static let restMax = Duration.seconds(60)

    private(set) var end: ContinuousClock.Instant
    private let isCrowded: Guarded<Bool>
    /// The newest number of a batch that was given out up to the end of the last piece.
    private var newest: BatchNumber?
    private let now: @Sendable () -> ContinuousClock.Instant
    /// When nothing was left to do.
    private var lastCaughtUp: ContinuousClock.Instant

    init(isCrowded: Guarded<Bool>, now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }) {
        self.isCrowded = isCrowded
        self.now = now
        lastCaughtUp = now()
        end = lastCaughtUp
    }

    var isOver: Bool { now() >= end }

    /// Nothing is left to do.
    mutating func caughtUp() { lastCaughtUp = now() }

    /// - Parameter newest: the newest number of a batch that was given out.
    mutating func begin(afterWorkSince start: ContinuousClock.Instant, newest: BatchNumber) {
        let now = now()
        let isQuiet = newest == self.newest
        self.newest = newest
        let isLate = now - lastCaughtUp > Self.lateness && !isCrowded.withLock { $0 }
        let restPerWork = isLate ? Self.restPerWorkWhenLate : Self.restPerWork
        end = isQuiet ? now : now + min(Self.restMax, (now - start) * restPerWork)
    }
}
