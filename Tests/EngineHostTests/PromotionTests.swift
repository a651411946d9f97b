import Foundation
import ServiceKit
import SettleTesting
import Testing
import TradeFeed
import TradeModel

@testable import EngineHost

/// An engine that follows takes the lead.
@Suite(.timeLimit(.minutes(5))) struct PromotionTests {
    private func quick(_ settings: inout EngineSettings) { settings.leaderSilenceMilliseconds = 300 }
    /// Longer than a leader that is there takes to say something, however busy the machine is.
    private func patient(_ settings: inout EngineSettings) { settings.leaderSilenceMilliseconds = 10_000 }

    @Test func `while the leader answers, nobody else leads, by force neither`() async throws {
        let leader = try Node()
        let follower = try Node(following: leader.feed)
        try await leader.carryOut(OrderFlow.opening)
        try await follower.reaches(leader.status())
        for force in [false, true] {
            #expect(
                try await follower.refusal(force: force)
                    == "the leader at \(leader.feed) still answers, and of two that lead one would be "
                    + "wrong; stop it first")
        }
        #expect(try await follower.status().standing?.role == .following)
        for node in [follower, leader] { try await node.stop() }
    }

    @Test func `one that was promoted goes on with the same orders, in the next epoch, and time does not go back`()
        async throws
    {
        // given
        var flow = OrderFlow(seed: 11)
        let folder = TemporaryFolder()
        let leader = try Node()
        let follower = try Node(following: leader.feed, folder: folder.path, quick)
        let before = try await leader.carryOut(OrderFlow.opening + flow.next(500))
        let there = try await leader.status()
        try await follower.reaches(there)
        try await leader.stop()

        // when
        let trial = try await follower.promote(trial: true)
        #expect(trial.isNew && trial.epoch == 2 && trial.lostUpTo == nil)
        #expect(try await follower.status().standing?.role == .following)
        let answer = try await follower.promote()
        let after = try await follower.carryOut(flow.next(500))

        // then
        #expect(answer.isNew && answer.epoch == 2 && answer.lostUpTo == nil)
        #expect(answer.sequence == there.sequence && answer.hash == there.hash)
        #expect(try await follower.promote().isNew == false)
        let records = try (before + after).map { try EngineOutput($0) }
        #expect(records.map(\.sequence) == Array(1...UInt64(records.count)))
        #expect(zip(records, records.dropFirst()).allSatisfy { $0.command.time <= $1.command.time })
        #expect(try await follower.published(from: 1, to: Int64(records.count), epoch: 2) == before + after)

        // It leads after a restart, too, and only without '--follow'.
        let status = try await follower.status()
        try await follower.stop()
        let lead = try #require(try EngineLead.read(folder.path + "/lead"))
        #expect(lead.promotions.map(\.reason) == ["the leader is gone"] && lead.promotions[0].by == "tester")
        #expect(lead.promotions[0].sequence == there.sequence)
        let again = try Node(folder: folder.path)
        let found = try await again.status()
        #expect(found.hash == status.hash && found.standing?.role == .leading && found.standing?.epoch == 2)
        try await again.stop()

        // As it was started before, it is refused, unless it is meant.
        let failure = #expect(throws: EngineFailure.self) { try Node(following: leader.feed, folder: folder.path) }
        #expect(failure?.description.contains("leads since epoch 2") == true)
        let down = try Node(following: leader.feed, folder: folder.path) { $0.stepsDown = true }
        #expect(try await down.status().standing?.role == .following)
        try await down.stop()
    }

    @Test func `the folder of one that follows is not led with by leaving a flag away`() async throws {
        let folder = TemporaryFolder()
        let leader = try Node()
        let follower = try Node(following: leader.feed, folder: folder.path)
        try await leader.carryOut(OrderFlow.opening)
        try await follower.reaches(leader.status())
        try await follower.stop()
        let feed = leader.feed
        #expect(
            throws: EngineFailure(
                "\(folder.path) belongs to a follower of \(feed); start it with '--follow \(feed)', and let it lead by "
                    + "'settle engine promote'")
        ) { try Node(folder: folder.path) }

        // A file that is not as it was written is no reason to lead either.
        try await leader.stop()
        let path = folder.path + "/lead"
        let text = try String(contentsOfFile: path, encoding: .utf8).replacing("\"epoch\" : 1", with: "\"epoch\" : 9")
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        #expect(throws: EngineFailure("\(path) is not as it was written; restore the folder from a copy")) {
            try Node(following: feed, folder: folder.path)
        }
    }

    @Test func `an old leader follows the new one, unless it has records that the new one never had`() async throws {
        // given
        var flow = OrderFlow(seed: 12)
        let (oldFolder, newFolder) = (TemporaryFolder(), TemporaryFolder())
        let old = try Node(folder: oldFolder.path)
        let new = try Node(following: old.feed, folder: newFolder.path, quick)
        try await old.carryOut(OrderFlow.opening + flow.next(200))
        try await new.reaches(old.status())
        try await old.stop()
        try await new.promote()
        try await new.carryOut(flow.next(100))

        // when: it has nothing of its own
        let rejoined = try Node(following: new.feed, folder: oldFolder.path, quick)
        let status = try await rejoined.reaches(new.status())
        #expect(try await status.hash == new.status().hash)
        #expect(status.standing?.epoch == 2)

        // and then is led with by mistake while the new one goes on without it
        try await rejoined.stop()
        try await new.carryOut(flow.next(5))
        let alone = try Node(following: "ipc:///nowhere/\(UUID().uuidString)", folder: oldFolder.path, quick)
        #expect(try await alone.refusal()?.contains("has not heard its leader") == true)
        #expect(try await alone.promote(force: true).epoch == 3)
        try await alone.carryOut(flow.next(10))
        try await alone.stop()

        // then
        let stray = try Node(following: new.feed, folder: oldFolder.path, patient)
        try await new.carryOut(flow.next(20))
        // Its epoch is the later one: the new leader does not answer it, nor may it lead while that is there.
        #expect(try await stray.refusal(force: true)?.contains("still answers") == true)
        #expect(
            try await stray.status().standing?.leader?.problem == "the epoch here is 2, the consumer has seen 3")
        for node in [stray, new] { try await node.stop() }
    }

    @Test func `a leader that lost its records takes nothing from a follower, which is all that is left`() async throws
    {
        // given
        var flow = OrderFlow(seed: 13)
        let folder = TemporaryFolder()
        try FileManager.default.createDirectory(atPath: folder.path, withIntermediateDirectories: true)
        let feed = "ipc://\(folder.path)/feed"
        let leader = try Node(feed: feed)
        let follower = try Node(following: feed, patient)
        try await leader.carryOut(OrderFlow.opening + flow.next(300))
        let there = try await leader.status()
        try await follower.reaches(there)
        try await leader.stop()

        // when: it starts with nothing, and takes orders
        let empty = try Node(feed: feed)
        try await empty.carryOut(OrderFlow.opening)
        try await eventually("the follower has noticed") {
            try await follower.status().standing?.leader?.problem?.contains("it has lost records") == true
        }
        #expect(try await follower.refusal()?.contains("still answers") == true)
        try await empty.stop()

        // then
        let answer = try await follower.promote()
        #expect(answer.hash == there.hash && answer.lostUpTo == nil)
        try await follower.carryOut(flow.next(10))
        try await follower.stop()
    }
}
