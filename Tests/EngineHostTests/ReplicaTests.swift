import Foundation
import ServiceKit
import SettleTesting
import Testing
import TradeEngine
import TradeFeed
import TradeModel

@testable import EngineHost

/// Engines that do what another has done.
@Suite(.timeLimit(.minutes(5))) struct ReplicaTests {
    private static func seed() -> UInt64 {
        let seed = UInt64.random(in: 1...999_999)
        print("seed \(seed)")
        return seed
    }

    @Test func `two engines without a log make the same records, as many trades and the same hash`() async throws {
        // given
        var flow = OrderFlow(seed: Self.seed())
        let leader = try Node()
        let follower = try Node(following: leader.feed) { $0.leaderSilenceMilliseconds = 300 }

        // when
        var records = try await leader.carryOut(OrderFlow.opening)
        for _ in 0..<10 { records += try await leader.carryOut(flow.next(1_000)) }

        // then
        let there = try await leader.status()
        let here = try await follower.reaches(there)
        #expect(there.sequence == records.count && there.trades > 1_000)
        #expect(here.sequence == there.sequence && here.hash == there.hash && here.trades == there.trades)
        #expect(here.openOrders == there.openOrders && here.accounts == there.accounts)
        #expect(here.standing?.role == .following && there.standing?.role == .leading)
        #expect(here.standing?.leader?.isConnected == true && here.standing?.leader?.newest == there.sequence)
        try await leader.stop()
        try await follower.promote()
        let published = try await follower.published(from: 1, to: here.sequence)
        #expect(published == records)
        try await follower.stop()
    }

    @Test func `a follower that comes late, and one that comes back, catch up while the leader trades`() async throws {
        // given
        var flow = OrderFlow(seed: Self.seed())
        let folder = TemporaryFolder()
        let leader = try Node()
        let early = try Node(following: leader.feed)
        let returning = try Node(following: leader.feed, folder: folder.path)
        try await leader.carryOut(OrderFlow.opening)
        try await leader.carryOut(flow.next(2_000))
        let before = try await leader.status()
        try await returning.reaches(before)
        try await returning.stop()

        // when
        let commands = (0..<20).map { _ in flow.next(200) }
        let trading = Task { for commands in commands { try await leader.carryOut(commands) } }
        let late = try Node(following: leader.feed)
        let returned = try Node(following: leader.feed, folder: folder.path)
        try await trading.value

        // then
        let there = try await leader.status()
        for node in [early, late, returned] {
            let here = try await node.reaches(there)
            #expect(here.hash == there.hash && here.trades == there.trades)
        }
        for node in [early, late, returned, leader] { try await node.stop() }
    }

    @Test func `one that follows takes no orders, and publishes nothing`() async throws {
        let leader = try Node()
        let follower = try Node(following: leader.feed)
        try await leader.carryOut(OrderFlow.opening)
        try await follower.reaches(leader.status())

        await #expect(
            throws: EntryFailure.refused(
                .notLeading,
                "this engine follows the one that publishes at \(leader.feed), and that one takes the "
                    + "orders")
        ) {
            try await follower.carryOut([OrderFlow.opening[3]])
        }
        let consumer = try FeedConsumer(
            endpoint: follower.feed,
            start: FeedCursor.Start(consumer: Identifier("early")!, instance: 1, after: 0, hash: 0))
        let running = Task { try await consumer.run() }
        try await eventually("it has asked more than once") { consumer.status.counts.asked > 1 }
        #expect(consumer.status.heardAt == nil)

        // What waits there is served from the moment it leads.
        try await leader.stop()
        try await follower.promote()
        let run = try #require(try await consumer.next())
        #expect(run.first == 1 && consumer.status.epoch == 2)
        consumer.stop()
        try await running.value
        try await follower.stop()
    }

    @Test func `a follower that makes another record stops at it, and does not lead any more`() async throws {
        // given: it forgets the ids of orders at once, and takes one twice that its leader refuses
        let folder = TemporaryFolder()
        let leader = try Node()
        try await leader.carryOut(OrderFlow.opening)
        let order = OrderFlow.bytes(
            .place(
                OrderRequest(
                    account: OrderFlow.accounts[0], clientOrderID: Identifier("twice"),
                    market: MarketSymbol("BTC/USDT")!,
                    side: .buy, timeInForce: .immediateOrCancel, price: DecimalNumber("50000")!,
                    quantity: DecimalNumber("1")!)))
        let records = try await leader.carryOut([order, order])
        let difference = Int64(OrderFlow.opening.count + 2)
        #expect(try EngineOutput(records[1]).rejection == .duplicateClientOrderID)

        // when
        func follower() throws -> Node {
            try Node(following: leader.feed, folder: folder.path) {
                $0.limits = EngineLimits(endedOrderIDCountMax: 0)
                $0.leaderSilenceMilliseconds = 300
            }
        }
        for _ in 1...2 {
            let divergence = await #expect(throws: EngineDivergence.self) { try await follower().end() }

            // then
            #expect(divergence?.sequence == difference)
            #expect(
                divergence?.description
                    == "this engine differs from its leader at \(leader.feed), and must not lead: at record "
                    + "\(difference) it makes another of the same command; up to \(difference - 1) both are the same")
        }
        try await leader.stop()
        let alone = try follower()
        for force in [false, true] {
            let refusal = try await alone.refusal(force: force)
            #expect(refusal?.hasPrefix("this engine differs from its leader: at record \(difference)") == true)
        }
        #expect(try await alone.status().sequence == difference - 1)
        try await alone.stop()
    }

    @Test(arguments: [(here: 41, there: 60), (41, 10), (3, 0)])
    func `one whose own log is not its leader's is told from where on, and does not lead`(
        counts: (here: Int, there: Int)
    ) async throws {
        // given: both go on by themselves from the same place
        let (folder, copy) = (TemporaryFolder(), TemporaryFolder())
        let first = try Node(folder: folder.path)
        try await first.carryOut(OrderFlow.opening)
        try await first.stop()
        try FileManager.default.copyItem(atPath: folder.path, toPath: copy.path)
        var flow = OrderFlow(seed: 3)
        let other = try Node(folder: folder.path)
        try await other.carryOut(flow.next(counts.here))
        try await other.stop()
        let leader = try Node(folder: copy.path)
        try await leader.carryOut(flow.next(counts.there))

        // when
        let follower = try Node(following: leader.feed, folder: folder.path)
        let divergence = await #expect(throws: EngineDivergence.self) { try await follower.end() }

        // then
        let parted = OrderFlow.opening.count + 1
        #expect(divergence?.sequence == Int64(parted))
        #expect(divergence?.description.hasSuffix("record \(parted) is the first that differs") == true)
        #expect(divergence?.description.contains("its leader, whose newest is") == (counts.there < counts.here))
        try await leader.stop()
    }

    @Test func `a leader that no longer has the first records says so to one that is empty`() async throws {
        let leader = try Node { $0.keptRecords = 10 }
        var flow = OrderFlow(seed: 7)
        try await leader.carryOut(OrderFlow.opening + flow.next(3_000))
        let failure = await #expect(throws: EngineFailure.self) {
            try await Node(following: leader.feed).end()
        }
        #expect(failure?.description.contains("no longer keeps record 1, only those from") == true)
        try await leader.stop()
    }
}
