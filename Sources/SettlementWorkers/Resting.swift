import Repository
import TradeModel

/// Keeps a duty to a fifth of the time, so that settling keeps the server: it rests for four times as long as its last
/// piece of work took. Where nothing settles, it goes on at once.
struct Resting {
    private static let restPerWork = 4
    /// Something that waited for long is no reason to rest for an hour.
    private static let restMax = Duration.seconds(60)

    private(set) var end = ContinuousClock.now
    /// The newest number of a batch that was given out up to the end of the last piece.
    private var newest: BatchNumber?

    var isOver: Bool { ContinuousClock.now >= end }

    /// - Parameter newest: the newest number of a batch that was given out.
    mutating func begin(afterWorkSince start: ContinuousClock.Instant, newest: BatchNumber) {
        let now = ContinuousClock.now
        let isQuiet = newest == self.newest
        self.newest = newest
        end = isQuiet ? now : now + min(Self.restMax, (now - start) * Self.restPerWork)
    }
}
