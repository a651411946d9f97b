import TradeFeed

/// What a follower knows of its leader, and whether it may lead in its place; without I/O, and without a clock.
struct Replica {
    typealias Instant = ContinuousClock.Instant

    enum Verdict: Hashable {
        /// It cannot be told yet.
        case wait
        case refuse(String)
        /// It may lead; without these records where they are lost.
        case lead(lostUpTo: Int64?)
    }

    /// What a wish to lead is judged by, besides.
    struct Circumstances {
        var askedAt: Instant
        var isForced: Bool
        /// The newest record that the follower has.
        var sequence: Int64
        var epoch: UInt64
        var difference: EngineLead.Difference?
    }

    let leader: String
    /// Who has said nothing for so long is gone.
    let silence: Duration
    private let startedAt: Instant
    private(set) var isConnected = false
    /// Whether the leader has sent something since the start that fitted what was there.
    private(set) var hasFollowed = false
    /// Why the leader does not answer, in its own words.
    private(set) var refusal: String?
    private var heardAt: Instant?
    private var received: Int64 = 0
    private(set) var newest: Int64 = 0
    /// Why what is at the leader's place is not followed, and when it is tried again.
    private(set) var problem: (text: String, retryAt: Instant)?

    init(leader: String, silence: Duration, now: Instant) {
        self.leader = leader
        self.silence = silence
        startedAt = now
    }

    mutating func note(_ status: FeedConsumer.Status) {
        isConnected = status.isFollowing
        refusal = status.refusal
        heardAt = status.heardAt ?? heardAt
        if status.isFollowing {
            hasFollowed = true
            problem = nil
        }
        guard hasFollowed else { return }
        newest = max(newest, status.newest)
        received = max(received, status.received)
    }

    /// What is at the leader's place is no longer the engine that was followed.
    mutating func lost(_ text: String, retryAt: Instant) {
        isConnected = false
        problem = (text, retryAt)
    }

    /// Whether to lead; both engines must never.
    func judge(_ wish: Circumstances, now: Instant) -> Verdict {
        if let difference = wish.difference {
            return .refuse("this engine differs from its leader: \(difference.text)")
        }
        guard wish.epoch > 0 else {
            return .refuse(
                "this engine has nothing of its leader at \(leader) yet; where there is no leader, start one without "
                    + "'--follow'")
        }
        if let heardAt, heardAt > wish.askedAt {
            return .refuse(
                "the leader at \(leader) still answers, and of two that lead one would be wrong; stop it first")
        }
        guard now - max(heardAt ?? startedAt, startedAt) >= silence, received <= wish.sequence else { return .wait }
        if !wish.isForced {
            guard hasFollowed else {
                return .refuse(
                    "this engine has not heard its leader at \(leader) since it was started, and may lack some of its "
                        + "records; '--force' leads with what is here, which ends at record \(wish.sequence)")
            }
            guard newest <= wish.sequence else {
                return .refuse(
                    "this engine lacks \(Self.records(wish.sequence + 1, newest)) of its leader at \(leader); start "
                        + "that again for a moment, or give '--force' to lose them")
            }
        }
        return .lead(lostUpTo: newest > wish.sequence ? newest : nil)
    }

    static func records(_ first: Int64, _ last: Int64) -> String {
        first == last ? "record \(first)" : "records \(first) to \(last)"
    }
}
