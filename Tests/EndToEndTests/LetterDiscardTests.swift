import Foundation
import SettleTesting
import Testing

/// `settle dlq discard` and `purge`: giving up, and clearing away.
@Suite struct LetterDiscardTests {
    private func poorTrades(_ database: TestDatabase, _ count: Int) async throws -> String {
        try await database.fund()
        let lines = (1...count).map { tradeLine("t\($0)", price: "5000") }.joined()
        _ = try await database.typing("trade submit", input: lines)
        try await database.expecting("worker --once --log-level error")
        return lines
    }

    @Test func `what is discarded is kept, has no effect when it comes again, and can be brought back`() async throws {
        let database = try TestDatabase()
        let lines = try await poorTrades(database, 3) + "garbage\n"
        _ = try await database.typing("trade submit", input: lines)
        let dry = try await database.running(["dlq", "discard", "1", "4", "--reason", "x", "--dry-run"])
        #expect(dry.output == "2 dead letters would be discarded\n")
        #expect(try database.count("dead_letters where status = 'open'") == 4)
        let discarded = try await database.running([
            "dlq", "discard", "1", "4", "1", "--reason", "cancelled by the engine",
        ])
        #expect(discarded.output == "2 dead letters discarded\n", "\(discarded.errors)")
        let again = try await database.running(["dlq", "discard", "1", "--reason", "again", "--json"])
        #expect(
            again.output == """
                {
                  "discarded": 0,
                  "left_alone": 1,
                  "stopped": false
                }

                """)
        #expect(
            try await database.running(["dlq", "discard", "1", "--reason", "again"]).output
                == "0 dead letters discarded; 1 was discarded already\n")
        #expect(
            try database.value(
                "select string_agg(action || ' ' || message, '; ' order by number) from dead_letter_attempts "
                    + "where letter_no = 1 and action <> 'parked'") == "discarded cancelled by the engine")
        #expect(try database.violations() == [])

        // The same arrives again, and stays what it is.
        let before = try database.contents()
        _ = try await database.typing("trade submit", input: lines)
        #expect(try database.contents() == before)

        let refused = try await database.typing("dlq retry 1")
        #expect(refused.exitCode == 1)
        #expect(
            refused.errors
                == "settle: dead letter 1 is discarded. 'settle dlq retry 1 --discarded' brings it back.\n")
        try await database.expecting("deposit alice 100000 USDT --id d1")
        #expect(try await database.expecting("dlq retry 1 --discarded").hasPrefix("1 retried: 1 settled"))
        let unreadable = try await database.typing("dlq retry 4 --discarded")
        #expect(unreadable.output == "1 retried: 0 settled, 1 parked again, 0 still waiting\n")
        #expect(try database.value("select status from dead_letters where letter_no = 4") == "open")
        #expect(try database.violations() == [])
    }

    @Test func `a trade of a discarded letter whose market comes later stays discarded`() async throws {
        let database = try TestDatabase()
        try await database.fund()
        let line = tradeLine("1", market: "BTC/EUR")
        _ = try await database.typing("trade submit", input: line)
        try await database.running(["dlq", "discard", "1", "--reason", "never"])
        try await database.expecting("asset add EUR --decimals 2")
        try await database.expecting("market add BTC/EUR")
        _ = try await database.typing("trade submit", input: line)
        try await database.expecting("worker --once --log-level error")
        // It has its row now, as FAILED for want of money; the letter accounts for it, still discarded.
        #expect(try database.value("select status || ' ' || stored from dead_letters") == "discarded true")
        #expect(try database.trades(.failed) == 1)
        #expect(try database.violations() == [])
    }

    @Test func `a filter for what nobody knows is told apart from one that finds nothing`() async throws {
        let database = try TestDatabase()
        try await database.fund()
        let line = tradeLine("1", buyer: "zoe", market: "BTC/EUR")
        _ = try await database.typing("trade submit", input: line)
        for command in ["list", "retry", "discard --reason x"] {
            for (filter, kind) in [("--market ETH/EUR", "market ETH/EUR"), ("--account mallory", "account mallory")] {
                let unknown = try await database.typing("dlq \(command) \(filter)")
                #expect(unknown.exitCode == 5, "\(command) \(filter)")
                #expect(unknown.errors.hasPrefix("settle: there is no \(kind); 'settle "), "\(unknown.errors)")
                #expect(unknown.output == "")
            }
            let near = try await database.typing("dlq \(command) --market BTC/USD")
            #expect(near.errors.contains("Did you mean 'BTC/USDT'?"))
        }
        // Neither the market nor the account is there, and yet they are known: from the letter.
        #expect(try await database.expecting("dlq list --market BTC/EUR --account zoe").contains("BTC/EUR:1"))
        try await database.running(["dlq", "discard", "1", "--reason", "never"])
        for filter in ["--market BTC/EUR", "--account zoe", "--account alice", "--market BTC/USDT --account bob"] {
            let nothing = try await database.typing("dlq list \(filter)")
            #expect(nothing.exitCode == 0, "\(filter)")
            #expect(nothing.errors == "No such dead letters.\n")
        }
        #expect(try database.violations() == [])
    }

    @Test func `many are discarded by a filter, with the question, and counted`() async throws {
        let database = try TestDatabase()
        _ = try await poorTrades(database, 5)
        let unanswered = try await database.running([
            "dlq", "discard", "--class", "insufficient_funds", "--reason", "x",
        ])
        #expect(unanswered.exitCode == 64)
        #expect(
            unanswered.errors.contains("cannot ask 'Discard 5 dead letters?' without a terminal; give --yes to go on"))
        for (words, code) in [
            (["dlq", "discard", "1"], 64), (["dlq", "discard", "--reason", "x"], 64),
            (["dlq", "discard", "1", "--reason", " "], 64), (["dlq", "discard", "9", "--reason", "x"], 5),
            (["dlq", "discard", "1", "--all", "--reason", "x"], 64),
        ] {
            #expect(try await database.running(words).exitCode == Int32(code), "\(words)")
        }
        let all = try await database.running(
            ["dlq", "discard", "--class", "insufficient_funds", "--reason", "x", "--yes"])
        #expect(all.output == "5 dead letters discarded\n")
        #expect(
            try await database.running(["dlq", "discard", "--all", "--reason", "x", "--yes"]).output
                == "0 dead letters discarded\n")
        #expect(try await database.typing("dlq list").errors == "No such dead letters.\n")
        #expect(try database.violations() == [])
    }

    @Test func `only what is resolved and old is purged, and its trade is still accounted for`() async throws {
        let database = try TestDatabase()
        let lines = try await poorTrades(database, 4)
        // 1 discarded, 2 retried and settled, 3 open, 4 retried and waiting.
        try await database.running(["dlq", "discard", "1", "--reason", "cancelled"])
        try await database.expecting("deposit alice 100000 USDT --id d1")
        try await database.expecting("dlq retry 2")
        try database.execute(
            """
            update trades set status = 'PENDING', batch_no = null where trade_id = 't4';
            update dead_letters set status = 'retried' where letter_no = 4
            """)
        #expect(
            try await database.expecting("dlq purge --older-than 90d --dry-run") == "0 dead letters would be purged\n")
        try database.execute("update dead_letters set changed_at = now() - interval '100 days'")
        let before = try database.contents()
        #expect(
            try await database.expecting("dlq purge --older-than 90d --dry-run") == "2 dead letters would be purged\n")
        let unasked = try await database.typing("dlq purge --older-than 90d --reason x")
        #expect(unasked.exitCode == 64)
        #expect(unasked.errors.contains("'Purge 2 dead letters that are resolved and unchanged since "))
        for line in [
            "dlq purge", "dlq purge --older-than 23h --dry-run", "dlq purge --older-than 90d --yes",
            "dlq purge --older-than 90d --reason old", "dlq purge 1 --older-than 90d",
        ] {
            #expect(try await database.typing(line).exitCode == 64, "\(line)")
        }
        #expect(try database.contents() == before)
        #expect(
            try await database.expecting("dlq purge --older-than 90d --reason quarterly --yes")
                == "2 dead letters purged\n")
        #expect(
            try await database.expecting("dlq purge --older-than 90d --reason quarterly --yes")
                == "0 dead letters purged\n")
        #expect(try database.value("select string_agg(letter_no::text, ' ' order by 1) from dead_letters") == "3 4")
        #expect(
            try database.value(
                """
                select string_agg(concat_ws(' ', letter_no, trade_id, status, actions #>> '{0,action}',
                                            actions #>> '{0,message}'), ', ' order by letter_no) from purged_letters
                """) == "1 t1 discarded discarded cancelled, 2 t2 retried retried retried")
        let user = try database.value("select max(actor) from purged_letters")
        for command in ["show 1", "retry 1", "show 2"] {
            let gone = try await database.typing("dlq \(command)")
            #expect(gone.exitCode == 5)
            #expect(gone.errors.contains("and purged at "), "\(gone.errors)")
            #expect(gone.errors.hasSuffix("by \(user): quarterly\n"), "\(gone.errors)")
        }
        // The trade of the discarded one is FAILED for good, and the row that stayed accounts for it.
        #expect(try database.value("select status from trades where trade_id = 't1'") == "FAILED")
        _ = try await database.typing("trade submit", input: lines)
        #expect(try database.count("dead_letters") == 2)
        #expect(try database.violations() == [])
        try database.execute("delete from purged_letters where letter_no = 1")
        #expect(try database.violations() != [])
    }
}
