import SettleTesting
import Testing
import TradeModel

@testable import Repository

@Suite struct FeedStateTests {
    private let connection: PostgresConnection
    private let main = Identifier("main")!

    init() throws {
        connection = try TestDatabase().connect()
    }

    private func lease(_ worker: Int64, milliseconds: Int = 60_000) throws -> FeedLease? {
        FeedStateStore.decodeLease(
            try connection.pipeline(FeedStateStore.lease(main, worker: worker, milliseconds: milliseconds)))
    }

    private func advance(_ lease: FeedLease, to sequence: Int64, hash: UInt64?, milliseconds: Int = 60_000) throws
        -> Bool
    {
        try connection.query(
            FeedStateStore.advance(
                main, lease, to: sequence, hash: hash, engineEpoch: 3, milliseconds: milliseconds)
        ).affected == 1
    }

    private func state() throws -> FeedState {
        try #require(FeedStateStore.decode(try connection.query(FeedStateStore.list(main))).first)
    }

    @Test func `a stream is one worker's, until its time has run out`() throws {
        let first = try #require(try lease(1))
        #expect(first == FeedLease(epoch: 1, sequence: 0, hash: 0, engineEpoch: 0))
        #expect(try lease(2) == nil)
        #expect(try advance(first, to: 10, hash: .max, milliseconds: 0))

        let second = try #require(try lease(2))
        #expect(second == FeedLease(epoch: 2, sequence: 10, hash: .max, engineEpoch: 3))
        #expect(try lease(1) == nil)
        let state = try state()
        #expect(state.follower == 2 && state.watermark == 10 && state.hash == .max && state.engineEpoch == 3)
    }

    @Test func `who had the stream before moves nothing any more`() throws {
        let first = try #require(try lease(1, milliseconds: 0))
        let second = try #require(try lease(2))
        #expect(try !advance(first, to: 5, hash: 5))
        #expect(try advance(second, to: 4, hash: 4))
        _ = try connection.pipeline([
            FeedStateStore.giveUp(main, first), FeedStateStore.halt(main, first, because: "x"),
        ])
        #expect(try state().follower == 2)
        #expect(try state().haltedFor == nil)
        #expect(try advance(second, to: 6, hash: nil))
        #expect(try state().hash == nil)
    }

    @Test func `who tries again lets others follow at once, and is still the one that follows`() throws {
        let first = try #require(try lease(1))
        try connection.query(FeedStateStore.pause(main, first))
        #expect(try state().follower == 1)
        let second = try #require(try lease(2))
        try connection.query(FeedStateStore.giveUp(main, second))
        #expect(try state().follower == nil)
    }

    @Test func `for how long nothing was heard of a feed is known, whoever asks it anew`() throws {
        // given
        let lease = try #require(try lease(1))
        #expect(try state().silenceMilliseconds == nil)
        func advance(silence: Duration?) throws {
            try connection.query(
                FeedStateStore.advance(
                    main, lease, to: 1, hash: 1, engineEpoch: 1, silence: silence, milliseconds: 60_000))
        }

        // when
        try connection.script("update feed_state set heard_at = clock_timestamp() - interval '40 seconds'")
        try advance(silence: nil)
        try connection.query(FeedStateStore.pause(main, lease))
        _ = try #require(try self.lease(1))

        // then
        let silence = try #require(try state().silenceMilliseconds)
        #expect((40_000..<100_000).contains(silence))

        // and
        try connection.query(FeedStateStore.giveUp(main, try #require(try self.lease(1))))
        #expect(try state().silenceMilliseconds == nil)
    }

    @Test func `a feed that is heard again is not silent, and no older word counts`() throws {
        let lease = try #require(try lease(1))
        try connection.script("update feed_state set heard_at = clock_timestamp() - interval '40 seconds'")
        for (silence, isSilent) in [(50, true), (1, false), (50, false)] {
            try connection.query(
                FeedStateStore.advance(
                    main, lease, to: 1, hash: 1, engineEpoch: 1, silence: .seconds(silence), milliseconds: 60_000))
            #expect(try (state().silenceMilliseconds != nil) == isSilent)
        }
    }

    @Test func `the watermark does not go back`() throws {
        let lease = try #require(try lease(1))
        #expect(try advance(lease, to: 5, hash: 50))
        #expect(try !advance(lease, to: 4, hash: 40))
        #expect(try advance(lease, to: 5, hash: 50))
        #expect(try state().watermark == 5)
    }

    @Test func `what is given up is anybody's at once, and what is halted is nobody's`() throws {
        let first = try #require(try lease(1))
        try connection.query(FeedStateStore.giveUp(main, first))
        let second = try #require(try lease(2))
        try connection.query(FeedStateStore.halt(main, second, because: "the hash differs"))
        #expect(try lease(3) == nil)
        #expect(try !advance(second, to: 1, hash: 1))
        #expect(try state().haltedFor == "the hash differs")
    }
}
