import ServiceKit
import SettleTesting
import Testing
import TradeModel
import WalletClient

@testable import Repository

/// What is counted of a stream that nobody follows is there, whatever the ranges it is asked in.
@Suite struct StreamVerificationTests {
    /// Numbers 1 to 40 but 7 and 8, which are missing, and 20, which was given up; 30 is parked.
    private func books(seed: UInt64 = 3) async throws -> TestDatabase {
        let database = try TestDatabase()
        let load = TradeLoad(40, accounts: 6, seed: seed, stream: "other")
        try await load.prepare(database)
        var generator = SeededGenerator(seed: seed)
        var rest = load.trades.filter { ![7, 8, 20].contains($0.sequence!) }.shuffled(using: &generator)[...]
        let wallet = database.wallet()
        while !rest.isEmpty {
            let batch = rest.prefix(Int.random(in: 1...5, using: &generator))
            rest = rest.dropFirst(batch.count)
            _ = try await wallet.settle(
                batch.map { trade in
                    var trade = trade
                    if trade.sequence == 30 { trade.seller = Identifier("nobody")! }
                    return SettlementItem(.trade(trade), origin: .message("test"))
                })
        }
        try database.execute(
            """
            insert into trade_streams (stream, newest) values ('other', 40);
            insert into trade_stream_gaps (stream, first_seq, last_seq, found_at, skipped_at, actor, reason)
            values ('other', 7, 8, now(), null, null, null), ('other', 20, 20, now(), now(), 'eve', 'never sent');
            insert into operator_actions (actor, action, subject, reason, detail)
            values ('eve', 'skip', 'feed other', 'never sent', '{"first": "20", "last": "20"}')
            """)
        return database
    }

    /// The violations of the seventh invariant.
    private func found(
        _ database: TestDatabase, _ kind: Verification.Kind = .full, actor: String? = nil
    ) throws -> [String] {
        var options = Verification.Options(kind, actor: actor)
        options.rangeEntries = 7
        return try #require(try Verification.run(options, on: try database.connect())).violations
            .filter { $0.invariant == 7 }.map { "\($0.subject): \($0.detail)" }
    }

    @Test(arguments: [3, 4, 5] as [UInt64])
    func `what is missing on record, given up or parked is no violation, and what came is one run`(seed: UInt64)
        async throws
    {
        let database = try await books(seed: seed)
        #expect(try database.violations() == [])
        #expect(try found(database, actor: "test") == [])
        #expect(
            try database.value(
                "select string_agg(first_seq || '-' || last_seq, ' ' order by first_seq) from verified_streams")
                == "1-6 9-19 21-29 31-40")
        #expect(try found(database, .since) == [])
        var steady = SteadyVerification(actor: "worker 1", stepEntries: 7)
        while true {
            let step = try #require(try steady.step(on: try database.connect()))
            #expect(step.report.violations == [])
            if step.isAtEnd { break }
        }
    }

    static let damages: [(sql: String, finds: [String])] = [
        (
            "delete from trades where stream_seq = 12",
            ["stream other: number 12 is counted, and no trade and no letter has it"]
        ),
        (
            "update trades set stream_seq = 13 where stream_seq = 12",
            ["stream other: number 12 is counted, and no trade and no letter has it"]
        ),
        (
            "update trades set stream_seq = null where stream_seq between 12 and 14",
            ["stream other: numbers 12 to 14 are counted, and no trades and no letters have them"]
        ),
        (
            "update trades set stream = 'another' where stream_seq = 1",
            ["stream other: number 1 is counted, and no trade and no letter has it"]
        ),
        (
            "update trades set stream_seq = 1000000000000000 where stream_seq = 40",
            ["stream other: number 40 is counted, and no trade and no letter has it"]
        ),
        (
            "delete from trade_stream_gaps where first_seq = 7",
            ["stream other: numbers 7 to 8 are counted, and no trades and no letters have them"]
        ),
        (
            "delete from trade_stream_gaps where first_seq = 20",
            ["stream other: number 20 is counted, and no trade and no letter has it"]
        ),
        (
            "delete from dead_letters; delete from trades where status = 'FAILED'",
            ["stream other: number 30 is counted, and no trade and no letter has it"]
        ),
        (
            "update trade_streams set newest = 9000000000000000000",
            ["stream other: numbers 41 to 9000000000000000000 are counted, and no trades and no letters have them"]
        ),
    ]

    @Test(arguments: damages.indices)
    func `what was lost of a stream is found and named`(index: Int) async throws {
        // given
        let database = try await books()
        let (sql, finds) = Self.damages[index]
        #expect(try found(database) == [])
        // when
        try database.damage(sql)
        // then
        let found = try found(database)
        for expected in finds {
            #expect(try found.contains { try Regex(expected).wholeMatch(in: $0) != nil }, "\(expected) in \(found)")
        }
        #expect(
            found.allSatisfy { line in finds.contains { (try? Regex($0).wholeMatch(in: line)) != nil } }, "\(found)")
    }

    @Test func `a gap that was deleted is found without reading the trades again`() async throws {
        let database = try await books()
        #expect(try found(database, actor: "test") == [])
        try database.damage("delete from trade_stream_gaps where first_seq = 7")
        let expected = ["stream other: numbers 7 to 8 are counted, and no trades and no letters have them"]
        #expect(try found(database, .since) == expected)
        var steady = SteadyVerification(actor: "worker 1")
        let step = try #require(try steady.step(on: try database.connect()))
        #expect(step.report.violations.map { "\($0.subject): \($0.detail)" } == expected)
    }

    @Test func `a number that a sender uses twice is no fault of the books, and holds up nobody`() async throws {
        let database = try await books()
        #expect(try found(database, actor: "test") == [])
        for sequence in 1...12 {
            var again = TradeLoad(12, accounts: 6, seed: 3, prefix: "again", stream: "other").trades[sequence - 1]
            again.quantity = DecimalNumber("0.01")!
            let outcome = try await database.wallet().settle([SettlementItem(.trade(again), origin: .message("test"))])
            #expect(outcome == [.settled])
        }
        #expect(try found(database) == [] && found(database, .since) == [])
        var steady = SteadyVerification(actor: "worker 1")
        let step = try #require(try steady.step(on: try database.connect()))
        #expect(step.report.violations == [] && step.isAtEnd && step.isWhole)
        #expect(try database.violations() == [])
    }

    @Test func `a parked trade that was given another number may wait again`() async throws {
        let database = try await books()
        try database.damage(
            """
            update trades set stream_seq = 41, status = 'PENDING', batch_no = null where status = 'FAILED';
            update trade_streams set newest = 41; update dead_letters set status = 'retried'
            """)
        #expect(try found(database) == [])
    }

    @Test func `a stream that was counted and is not known any more is named`() async throws {
        let database = try await books()
        try database.damage(
            """
            update trade_stream_count set batch_no = 1000; delete from trade_stream_gaps; delete from trade_streams;
            delete from trades where stream_seq = 12
            """)
        let found = try found(database)
        #expect(!found.isEmpty)
        #expect(
            found.allSatisfy {
                $0.hasPrefix("stream other: numbers from ")
                    && $0.hasSuffix(" were counted, and the stream is not known")
            }, "\(found)")
    }

    @Test func `letters of what was no trade excuse nothing`() async throws {
        let database = try await books()
        try database.damage(
            """
            insert into purged_letters (letter_no, fingerprint, class, status, stored, version, parked_at, actor, reason,
                                        actions)
            select n, '\\x00', 'undecodable', 'discarded', false, 1, now(), 'eve', 'noise', '[]'
              from generate_series(1000, 1050) n;
            update purged_letters set purged_at = '2020-01-01';
            delete from trades where stream_seq = 12
            """)
        #expect(try found(database) == ["stream other: number 12 is counted, and no trade and no letter has it"])
    }

    @Test func `numbers of engines that are followed, and numbers that are no sequence, are not asked about`()
        async throws
    {
        for sql in [
            "insert into feed_state (stream) values ('other')",
            "update trade_streams set uncounted_for = 'it has more than 10000 gaps'",
        ] {
            let database = try await books()
            try database.damage(
                """
                \(sql); update trades set stream_seq = 13 where stream_seq = 12;
                delete from trade_stream_gaps where first_seq = 7
                """)
            #expect(try found(database) == [])
        }
    }

    @Test func `a letter that was cleared away keeps its number, and one that an earlier version cleared may have any`()
        async throws
    {
        // given: a letter without a row
        let database = try await books()
        try database.damage("update dead_letters set stored = false; delete from trades where status = 'FAILED'")
        #expect(try found(database) == [])
        try database.execute(
            "update dead_letters set status = 'discarded', changed_at = now() - interval '100 days'")
        // when
        let purge = PurgedLetterStore.purge(olderThan: .now, after: nil, limit: 10, actor: "eve", reason: "old")
        _ = try database.connect().pipeline([purge])
        // then
        #expect(
            try database.value(
                "select concat_ws(' ', stream, stream_seq, has_number) from purged_letters") == "other 30 t")
        #expect(try database.count("dead_letters") == 0)
        #expect(try found(database) == [])

        // when: it was cleared away by a version that did not keep it
        try database.damage("update purged_letters set stream = null, stream_seq = null, has_number = false")
        // then: none is excused that was cleared away since
        #expect(try found(database).count == 1)
        try database.damage("update purged_letters set purged_at = '2020-01-01'")
        // then: one number may be its, two are not
        #expect(try found(database) == [])
        try database.damage("delete from trades where stream_seq = 12")
        #expect(try found(database).count == 2)
    }
}
