import Repository
import ServiceKit
import TradeModel

/// Keeps a duty to a fifth of the time, so that settling keeps the server: it rests for four times as long as its last
/// piece of work took. Where more trades come than are settled it takes a twentieth, since with a fifth it would fall
/// behind, too. Where nothing settles, it goes on at once.
struct Resting {
    private static let restPerWork = 4
    private static let restPerWorkInCrowd = 19
    /// Something that waited for long is no reason to rest for an hour.
    private static let restMax = Duration.seconds(60)

    private(set) var end = ContinuousClock.now
    private let isCrowded: Guarded<Bool>
    /// The newest number of a batch that was given out up to the end of the last piece.
    private var newest: BatchNumber?

    init(isCrowded: Guarded<Bool>) {
        self.isCrowded = isCrowded
    }

    var isOver: Bool { ContinuousClock.now >= end }

    /// - Parameter newest: the newest number of a batch that was given out.
    mutating func begin(afterWorkSince start: ContinuousClock.Instant, newest: BatchNumber) {
        let now = ContinuousClock.now
        let isQuiet = newest == self.newest
        self.newest = newest
        let restPerWork = isCrowded.withLock { $0 } ? Self.restPerWorkInCrowd : Self.restPerWork
        end = isQuiet ? now : now + min(Self.restMax, (now - start) * restPerWork)
    }
}
