import SettleTesting
import Testing
import TradeModel

@testable import Repository

/// Gaps of a stream: noted by its follower, and skipped by nobody but an operator.
@Suite struct FeedGapTests {
    private let database: TestDatabase
    private let connection: PostgresConnection
    private let main = Identifier("main")!

    init() throws {
        database = try TestDatabase()
        connection = try database.connect()
    }

    private func lease() throws -> FeedLease {
        try #require(
            FeedStateStore.decodeLease(
                try connection.pipeline(FeedStateStore.lease(main, worker: 1, milliseconds: 60_000))))
    }

    private func halt(_ lease: FeedLease, at sequence: Int64, gapUpTo last: Int64) throws {
        _ = try connection.pipeline([
            FeedStateStore.advance(main, lease, to: sequence, hash: 7, engineEpoch: 0, milliseconds: 60_000),
            FeedGapStore.note(main, lease, upTo: last), FeedStateStore.halt(main, lease, because: "it is gone"),
        ])
    }

    private func gaps(isOpen: Bool = false) throws -> [FeedGap] {
        FeedGapStore.decode(try connection.query(FeedGapStore.list(isOpen: isOpen)))
    }

    private func state() throws -> FeedState {
        try #require(FeedStateStore.decode(try connection.query(FeedStateStore.list(main))).first)
    }

    @Test func `a gap begins behind the watermark, and a stream that is skipped goes on behind it`() throws {
        // given
        try halt(try lease(), at: 10, gapUpTo: 14)
        let gap = try #require(try gaps().first)
        #expect(gap.records == 11...14 && gap.state == .open)

        // when
        #expect(try FeedGapStore.skip(gap, actor: "eve", reason: "lost", on: connection))

        // then
        let state = try state()
        #expect(state.watermark == 14 && state.hash == nil && state.haltedFor == nil)
        let skipped = try #require(try gaps().first)
        #expect(skipped.state == .skipped && skipped.actor == "eve" && skipped.reason == "lost")
        #expect(try gaps(isOpen: true).isEmpty)
        let action = try database.value(
            "select actor || ' ' || action || ' ' || reason || ' ' || detail from operator_actions")
        #expect(action == #"eve skip lost {"last": "14", "first": "11"}"#)
        #expect(
            try connection.query(FeedGapStore.skippedCount(main, upTo: 20)).int64(0, 0) == 4)
        #expect(try lease() == FeedLease(epoch: 2, sequence: 14, hash: nil, engineEpoch: 0))
    }

    @Test func `what is not as it was is not skipped`() throws {
        try halt(try lease(), at: 10, gapUpTo: 14)
        let gap = try #require(try gaps().first)
        // It has grown meanwhile.
        try database.execute("update feed_gaps set last_seq = 20")
        #expect(try !FeedGapStore.skip(gap, actor: "eve", reason: "lost", on: connection))
        // The stream was resumed.
        try database.execute("update feed_gaps set last_seq = 14; update feed_state set halted_for = null")
        #expect(try !FeedGapStore.skip(gap, actor: "eve", reason: "lost", on: connection))
        #expect(try state().watermark == 10)
        #expect(try database.value("select count(*) from operator_actions") == "0")
    }

    @Test func `a gap that the feed got back is closed, and one that is found again is the same`() throws {
        try halt(try lease(), at: 10, gapUpTo: 14)
        try database.execute("update feed_state set halted_for = null")
        try halt(try lease(), at: 10, gapUpTo: 16)
        #expect(try gaps().map(\.records) == [11...16])
        try database.execute("update feed_state set halted_for = null, watermark = 16")
        #expect(try gaps().map(\.state) == [.closed])
        #expect(try gaps(isOpen: true).isEmpty)
    }

    @Test func `what halts a stream that was resumed is not taken for the gap before it`() throws {
        // given
        try halt(try lease(), at: 10, gapUpTo: 14)
        let gap = try #require(try gaps().first)

        // when: the records came back, and with them something else that is wrong
        try FeedStateStore.resume(try state(), actor: "eve", reason: "the log is back", on: connection)
        try connection.query(FeedStateStore.halt(main, try lease(), because: "the hash differs"))

        // then
        #expect(try gaps().map(\.state) == [.retried])
        #expect(try gaps(isOpen: true).isEmpty)
        #expect(try !FeedGapStore.skip(gap, actor: "eve", reason: "lost", on: connection))
        #expect(try state().watermark == 10)

        // Unless they are missing once more.
        try FeedStateStore.resume(try state(), actor: "eve", reason: "once more", on: connection)
        try halt(try lease(), at: 10, gapUpTo: 14)
        #expect(try gaps().map(\.state) == [.open])
    }

    @Test func `another engine that leads may have fewer records, and is not behind for it`() throws {
        let lease = try lease()
        func advance(epoch: UInt64, newest: Int64) throws {
            try connection.query(
                FeedStateStore.advance(
                    main, lease, to: 1_200, hash: 7, engineEpoch: epoch, newest: newest, milliseconds: 60_000))
        }
        try advance(epoch: 1, newest: 1_210)
        try advance(epoch: 1, newest: 1_205)
        #expect(try state().newest == 1_210)
        try advance(epoch: 2, newest: 1_200)
        #expect(try state().newest == 1_200)
    }

    @Test func `whoever has lost the lease notes nothing`() throws {
        let first = try lease()
        try database.execute("update feed_state set leased_until = now()")
        _ = try lease()
        try connection.query(FeedGapStore.note(main, first, upTo: 5))
        #expect(try gaps().isEmpty)
    }
}
