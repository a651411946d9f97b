import Testing
import TradeFeed

@testable import EngineHost

/// Whether a follower may lead, by what it knows. The clock is moved by hand.
@Suite struct ReplicaVerdictTests {
    private static let begin = ContinuousClock.now
    private var replica = Replica(leader: "tcp://127.0.0.1:5561", silence: .seconds(3), now: begin)

    private mutating func hears(at seconds: Int, newest: Int64, received: Int64) {
        var status = FeedConsumer.Status()
        status.isFollowing = true
        (status.newest, status.received) = (newest, received)
        status.heardAt = Self.begin + .seconds(seconds)
        replica.note(status)
    }

    private func verdict(
        askedAt asked: Int, at now: Int, sequence: Int64, isForced: Bool = false, epoch: UInt64 = 1,
        difference: EngineLead.Difference? = nil
    ) -> Replica.Verdict {
        replica.judge(
            Replica.Circumstances(
                askedAt: Self.begin + .seconds(asked), isForced: isForced, sequence: sequence, epoch: epoch,
                difference: difference), now: Self.begin + .seconds(now))
    }

    private func text(_ verdict: Replica.Verdict) -> String? {
        if case .refuse(let text) = verdict { text } else { nil }
    }

    @Test mutating func `it leads when it has everything and the leader has been silent for long enough`() {
        hears(at: 10, newest: 7, received: 7)
        #expect(verdict(askedAt: 11, at: 11, sequence: 7) == .wait)
        #expect(verdict(askedAt: 11, at: 13, sequence: 7) == .lead(lostUpTo: nil))
        #expect(verdict(askedAt: 20, at: 20, sequence: 7) == .lead(lostUpTo: nil))
        hears(at: 12, newest: 7, received: 7)
        #expect(text(verdict(askedAt: 11, at: 12, sequence: 7))?.contains("still answers") == true)
    }

    @Test mutating func `it does not lead without what its leader had, but by force, and names what is lost`() {
        hears(at: 1, newest: 9, received: 7)
        #expect(text(verdict(askedAt: 9, at: 9, sequence: 7))?.contains("lacks records 8 to 9 of its leader") == true)
        #expect(verdict(askedAt: 9, at: 9, sequence: 7, isForced: true) == .lead(lostUpTo: 9))
        hears(at: 1, newest: 8, received: 7)
        #expect(verdict(askedAt: 9, at: 9, sequence: 8, isForced: true) == .lead(lostUpTo: 9))
        // What has come is carried out first.
        hears(at: 1, newest: 9, received: 9)
        #expect(verdict(askedAt: 9, at: 9, sequence: 8, isForced: true) == .wait)
        #expect(verdict(askedAt: 9, at: 9, sequence: 9) == .lead(lostUpTo: nil))
    }

    @Test mutating func `one that has not heard its leader since its start cannot know whether it lacks anything`() {
        #expect(verdict(askedAt: 1, at: 2, sequence: 7) == .wait)
        #expect(text(verdict(askedAt: 1, at: 4, sequence: 7))?.contains("has not heard its leader") == true)
        #expect(verdict(askedAt: 1, at: 4, sequence: 7, isForced: true) == .lead(lostUpTo: nil))
        #expect(
            text(verdict(askedAt: 1, at: 4, sequence: 0, isForced: true, epoch: 0))?.contains(
                "has nothing of its leader")
                == true)
    }

    @Test mutating func `one that differs never leads`() {
        hears(at: 1, newest: 7, received: 7)
        let difference = EngineLead.Difference(sequence: 5, text: "at record 5")
        for isForced in [false, true] {
            #expect(
                verdict(askedAt: 9, at: 9, sequence: 7, isForced: isForced, difference: difference)
                    == .refuse("this engine differs from its leader: at record 5"))
        }
    }
}
