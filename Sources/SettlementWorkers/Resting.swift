/// Keeps a duty to a fifth of the time, so that settling keeps the server: it rests for four times as long as its last
/// piece of work took.
struct Resting {
    private static let restPerWork = 4
    /// Something that waited for long is no reason to rest for an hour.
    private static let restMax = Duration.seconds(60)

    private(set) var end = ContinuousClock.now

    var isOver: Bool { ContinuousClock.now >= end }

    mutating func begin(afterWorkSince start: ContinuousClock.Instant) {
        let now = ContinuousClock.now
        end = now + min(Self.restMax, (now - start) * Self.restPerWork)
    }
}
